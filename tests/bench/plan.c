/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

void plan_keymat(uint8_t *keymat, size_t len)
{
	for (size_t i = 0; i < len; i++)
		keymat[i] = (uint8_t)(7 * i + 43);
}

void plan_station(uint16_t port, uint8_t mac[6])
{
	static const uint8_t first[6] = {0x02, 0x00, 0x00, 0x00, 0x57, 0x00}; /* locally administered */

	memcpy(mac, first, sizeof(first));
	mac[5] = (uint8_t)port;
}

int plan_publish(const char *path, const uint32_t *spis, uint32_t count)
{
	char unfinished[PATH_MAX];
	FILE *file;
	int rc = 0;

	if (snprintf(unfinished, sizeof(unfinished), "%s.new", path) >= (int)sizeof(unfinished))
		return -ENAMETOOLONG;
	file = fopen(unfinished, "we");
	if (!file)
		return -errno;
	fprintf(file, "%" PRIu32 "\n", count);
	for (uint32_t i = 0; i < count; i++)
		fprintf(file, "%08" PRIx32 "\n", spis[i]);
	if (ferror(file))
		rc = -EIO;
	if (fclose(file) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(unfinished, path) < 0)
		rc = -errno;
	return rc;
}

int plan_read(const char *path, uint32_t *spis)
{
	FILE *file = fopen(path, "re");
	uint32_t count = 0;
	int rc = -EINVAL;

	if (!file)
		return -errno;
	if (fscanf(file, "%" SCNu32, &count) != 1 || count == 0 || count > PLAN_SESSIONS_MAX)
		goto out;
	for (uint32_t i = 0; i < count; i++)
		if (fscanf(file, "%" SCNx32, &spis[i]) != 1)
			goto out;
	rc = (int)count;
out:
	fclose(file);
	return rc;
}
