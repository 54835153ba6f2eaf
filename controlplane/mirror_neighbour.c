/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror_state.h"

#include "clock.h"

#include <linux/neighbour.h>
#include <string.h>

enum {
	WANTED_MAX = 4096,   /* neighbours asked for and not known, so that a scan of a network ends here */
	ASK_AGAIN_MS = 1000, /* for one neighbour */
	USABLE = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP,
	FIXED = NUD_PERMANENT | NUD_NOARP, /* the administrator's: asking would make it an ordinary one */
};

static void neighbour_drop(struct mirror *mirror, struct mirror_neighbour *neighbour)
{
	if (neighbour->usable)
		mirror_emit(mirror, TABLES_NEIGHBOUR_REMOVE,
			(struct writer_net){
				.prefix = mirror_host_prefix(&neighbour->address), .port = neighbour->port});
	else
		mirror->n_pending--;
	mirror_neighbour_remove(&mirror->tables, neighbour);
}

static void neighbour_ask(struct mirror *mirror, struct mirror_neighbour *neighbour, bool managed)
{
	neighbour->asked_ms = clock_now_ms();
	managed = managed && !mirror->no_managed;
	neighbour->managed = neighbour->managed || managed;
	netlink_neighbour_ask(mirror->netlink, mirror->ports[neighbour->port].ifindex, &neighbour->address,
		managed ? NETLINK_KEEP_RESOLVED : NETLINK_RESOLVE);
}

void mirror_neighbour_want(struct mirror *mirror, uint16_t port, const struct address *address, bool managed)
{
	struct mirror_neighbour *neighbour = mirror_neighbour_get(&mirror->tables, port, address, false);

	if (mirror->ports[port].ifindex == 0)
		return;
	if (!neighbour) {
		if (mirror->n_pending >= WANTED_MAX)
			return;
		neighbour = mirror_neighbour_get(&mirror->tables, port, address, true);
		if (!neighbour)
			return;
		mirror->n_pending++;
	} else if (neighbour->usable && (neighbour->state & FIXED || neighbour->managed == managed)) {
		return;
	} else if (!neighbour->usable && clock_now_ms() - neighbour->asked_ms < ASK_AGAIN_MS) {
		return;
	}
	neighbour->wanted = true;
	neighbour_ask(mirror, neighbour, managed);
}

void mirror_neighbour_wanted(struct mirror *mirror, uint16_t port, const struct address *address)
{
	struct mirror_neighbour *neighbour;

	if (port >= mirror->n_ports || address->family == ADDRESS_NONE)
		return;
	neighbour = mirror_neighbour_get(&mirror->tables, port, address, false);
	if (neighbour && neighbour->usable) {
		/* The answer came while the question was on its way. */
		struct writer_net net = {.prefix = mirror_host_prefix(address), .port = port};

		neighbour->wanted = true;
		memcpy(net.mac, neighbour->mac, sizeof(net.mac));
		mirror_emit(mirror, TABLES_NEIGHBOUR_ADD, net);
	} else {
		mirror_neighbour_want(mirror, port, address, false);
	}
}

static void neighbour_usable(struct mirror *mirror, uint16_t port, const struct netlink_neighbour *told)
{
	struct mirror_neighbour *neighbour = mirror_neighbour_get(&mirror->tables, port, &told->address, true);
	struct writer_net net = {.prefix = mirror_host_prefix(&told->address), .port = port};
	bool was_usable, same;

	if (!neighbour)
		return;
	was_usable = neighbour->usable;
	same = was_usable && memcmp(neighbour->mac, told->mac, sizeof(told->mac)) == 0;
	/* An entry made just now is not among the pending; `wanted` tells. */
	if (!was_usable && neighbour->wanted)
		mirror->n_pending--;
	memcpy(neighbour->mac, told->mac, sizeof(neighbour->mac));
	neighbour->usable = true;
	neighbour->state = told->state;
	neighbour->managed = neighbour->managed || told->managed;
	memcpy(net.mac, told->mac, sizeof(net.mac));
	if (!same)
		mirror_emit(mirror, TABLES_NEIGHBOUR_ADD, net);
	/* What packets go to shall not grow old, though the kernel does not see them. */
	if (neighbour->wanted && !neighbour->managed && !mirror->no_managed && !(told->state & FIXED))
		neighbour_ask(mirror, neighbour, true);
}

static bool is_for_many(const struct address *address)
{
	return address->family == ADDRESS_IPV4 ? address->bytes[0] >= 0xe0 : address->bytes[0] == 0xff;
}

void mirror_neighbour_told(void *context, const struct netlink_neighbour *told)
{
	struct mirror *mirror = context;
	int port = mirror_port_of(mirror, told->ifindex);
	struct mirror_neighbour *known;

	/* Multicast and broadcast have addresses that need no asking; the data plane sends nothing there. */
	if (port < 0 || is_for_many(&told->address))
		return;
	known = mirror_neighbour_get(&mirror->tables, (uint16_t)port, &told->address, false);
	if (told->gone) {
		/* Forgotten because the kernel had no use for it. The data plane may: removed only if it can't be
		 * found. */
		if (known && known->usable) {
			known->managed = false;
			neighbour_ask(mirror, known, false);
		} else if (known) {
			neighbour_drop(mirror, known);
		}
	} else if (told->state & NUD_FAILED) {
		/* The kernel would go on asking for what it manages. */
		if (known && known->managed && known->usable)
			netlink_neighbour_ask(mirror->netlink, told->ifindex, &told->address, NETLINK_FORGET);
		if (known)
			neighbour_drop(mirror, known);
	} else if (told->state & USABLE && told->has_mac) {
		neighbour_usable(mirror, (uint16_t)port, told);
	}
}
