/* SPDX-License-Identifier: Apache-2.0 */
/* Arbitrary bytes as the state of a TCP connection on its way to a worker: what is accepted lies within them. */
#include "tables/transfer.h"
#include "tcp/tcp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int sum(const uint8_t *bytes, uint32_t len)
{
	unsigned int all = 0;

	for (uint32_t i = 0; i < len; i++)
		all += bytes[i];
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1);
	struct tcp_established established;
	struct transfer_state again;
	struct transfer transfer;
	unsigned int parts;

	if (!bytes)
		abort();
	memcpy(bytes, data, size);
	if (transfer_read(&transfer, bytes, size) == 0) {
		parts = sum(transfer.unacknowledged, transfer_unacknowledged_len(&transfer.state)) +
			sum(transfer.unsent, transfer.state.unsent_len) + sum(transfer.unread, transfer.state.unread_len);
		if (parts != sum(bytes + sizeof(transfer.state), (uint32_t)(size - sizeof(transfer.state))))
			abort();
		transfer_to_established(&transfer.state, &established);
		transfer_from_established(&again, &established);
		again.unsent_len = transfer.state.unsent_len;
		again.unread_len = transfer.state.unread_len;
		again.reserved = transfer.state.reserved;
		if (memcmp(&again, &transfer.state, sizeof(again)) != 0)
			abort();
	}
	free(bytes);
	return 0;
}
