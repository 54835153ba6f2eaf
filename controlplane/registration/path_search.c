/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/path_search.h"

/* A probe that is lost is not yet a packet too long. */
enum { TRIES = 3 };

static void choose(struct path_search *search)
{
	bool over = search->high - search->low <= 1;

	search->tries = 0;
	search->size = over ? 0 : (uint16_t)(search->low + (search->high - search->low) / 2);
}

void path_search_begin(struct path_search *search, uint16_t least, uint16_t interface)
{
	*search = (struct path_search){
		.low = least,
		.high = interface,
		.interface = interface,
		.size = interface > least ? interface : 0,
	};
}

void path_search_passed(struct path_search *search)
{
	search->heard = true;
	search->low = search->size;
	choose(search);
}

void path_search_lost(struct path_search *search, bool certain)
{
	if (!certain && ++search->tries < TRIES)
		return;
	search->high = search->size;
	choose(search);
}

uint16_t path_search_result(const struct path_search *search)
{
	return search->heard ? search->low : 0;
}
