/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a packet gets through a path whole: by probes that may not be cut (RFC 8899 in spirit), since what a firewall
 * does with ICMP can't be relied on. The longest that the interface takes is tried first; then halves, between it and
 * what every path takes. Sizes are of whole IP packets, bytes. No clock: the caller sends and waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct path_search {
	uint16_t size;	     /* to be probed now; 0: the search is over */
	uint16_t low, high;  /* counted on; found, or taken for, too long */
	uint16_t interface;  /* what it takes */
	unsigned tries;	     /* of this size, in vain */
	bool heard;	     /* some probe was answered */
};

/* `least` is what every path takes: 576 or 1,280 (RFC 791, RFC 8200). An interface that takes no more: nothing to do. */
void path_search_begin(struct path_search *search, uint16_t least, uint16_t interface);

/* A probe of the present size came back. */
void path_search_passed(struct path_search *search);

/* None did for as long as it may take. `certain`: it did not even leave. */
void path_search_lost(struct path_search *search, bool certain);

/* When the search is over: the longest that gets through, or 0 when nothing came back at all, which tells nothing. */
uint16_t path_search_result(const struct path_search *search);
