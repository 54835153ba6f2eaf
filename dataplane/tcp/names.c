/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/tcp.h"

const char *tcp_state_name(enum tcp_state state)
{
	static const char *const names[] = {
		[TCP_STATE_ESTABLISHED] = "established",
		[TCP_STATE_FIN_WAIT_1] = "fin-wait-1",
		[TCP_STATE_FIN_WAIT_2] = "fin-wait-2",
		[TCP_STATE_CLOSE_WAIT] = "close-wait",
		[TCP_STATE_CLOSING] = "closing",
		[TCP_STATE_LAST_ACK] = "last-ack",
		[TCP_STATE_TIME_WAIT] = "time-wait",
		[TCP_STATE_CLOSED] = "closed",
	};

	/* It may have come through the shared tables. */
	return (unsigned int)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

const char *tcp_counter_name(enum tcp_counter counter)
{
	static const char *const names[] = {
#define X(id, name, help) [TCP_COUNT_##id] = name,
		TCP_COUNTERS(X)
#undef X
	};

	return names[counter];
}
