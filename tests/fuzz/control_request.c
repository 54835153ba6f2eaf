/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's requests: whatever is taken must keep to the bounds that the rest relies on. */
#include "control/request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[REQUEST_ERROR_LEN] = "";
	struct control_request request;

	if (request_parse((const char *)data, size, &request, error) < 0) {
		if (!memchr(error, '\0', sizeof(error)) || !error[0])
			abort();
		return 0;
	}
	if (!request.command[0] || !memchr(request.command, '\0', sizeof(request.command)) ||
		request.n_arguments > REQUEST_ARGUMENTS_MAX)
		abort();
	for (unsigned i = 0; i < request.n_arguments; i++)
		if (!request.arguments[i][0] || !memchr(request.arguments[i], '\0', REQUEST_ARGUMENT_LEN))
			abort();
	return 0;
}
