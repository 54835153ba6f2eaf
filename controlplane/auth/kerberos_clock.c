/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/kerberos_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t kerberos_clock_now(void)
{
	return time(NULL);
}

char *kerberos_clock_format(int64_t seconds, char text[KERBEROS_CLOCK_LEN])
{
	time_t when = (time_t)seconds;
	struct tm parts;

	if (!gmtime_r(&when, &parts) || strftime(text, KERBEROS_CLOCK_LEN, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
		snprintf(text, KERBEROS_CLOCK_LEN, "%lld", (long long)seconds);
	return text;
}

char *kerberos_span_format(int64_t seconds, char text[KERBEROS_SPAN_LEN])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{86400, "days"}, {3600, "hours"}, {60, "minutes"}, {1, "seconds"}};
	int64_t span = llabs(seconds);
	size_t i = 0;

	/* Of the largest unit that there are two of, rounded: "90 minutes", "3 days". */
	while (i < 3 && span < 2 * units[i].seconds)
		i++;
	snprintf(text, KERBEROS_SPAN_LEN, "%lld %s", (long long)((span + units[i].seconds / 2) / units[i].seconds),
		units[i].name);
	return text;
}
