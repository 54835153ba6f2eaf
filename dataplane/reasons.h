/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way into and out of the packet path, in one list: it feeds the enum, the counters in the shared tables and,
 * by them, sluicectl and metrics. What comes in (in) leaves by exactly one exit: out, or drop. So, when nothing is
 * under way: the sum of `in` is the sum of `out` and `drop`, per data plane. Counters of kind note count beside.
 */
#pragma once

/*      enum                  name in counters        kind  meaning */
#define REASONS(X)                                                                                                     \
	X(IN_PORT,              "received",             IN,   "from a port")                                           \
	X(IN_KERNEL,            "from_kernel",          IN,   "from the exception port")                               \
	X(IN_HANDOFF,           "taken_over",           IN,   "from another worker")                                   \
	X(IN_CUT,               "cut",                  IN,   "a further fragment made by cutting a packet")           \
	X(IN_ICMP,              "icmp_made",            IN,   "an ICMP error of ours about another packet")            \
	X(IN_STREAM,            "from_stream",          IN,   "ESP that came in a TCP connection, from sluiced")        \
	X(IN_FRAME,             "from_frame",           IN,   "ESP or IKE that came in a TCP connection of a worker")   \
	X(IN_IKE,               "ike_from_sluiced",     IN,   "an IKE message of sluiced's, for a TCP connection of a worker") \
	X(IN_SEGMENT,           "segment_made",         IN,   "a TCP segment of ours")                                 \
	X(OUT_SENT,             "sent",                 OUT,  "to a port")                                             \
	X(OUT_KERNEL,           "to_kernel",            OUT,  "to the exception port")                                 \
	X(OUT_HANDOFF,          "handed_over",          OUT,  "to the worker that owns it")                            \
	X(OUT_STREAM,           "to_stream",            OUT,  "ESP to sluiced, for a session whose transport is TCP")  \
	X(OUT_SEGMENT,          "segment_taken",        OUT,  "a TCP segment, by the connection of a worker that it is of") \
	X(OUT_FRAME,            "frame_made",           OUT,  "became a frame in a TCP connection of a worker")          \
	X(OUT_IKE,              "ike_to_sluiced",       OUT,  "an IKE message that came in a TCP connection of a worker") \
	X(OUT_MERGED,           "fragment_merged",      OUT,  "became part of a reassembled packet")                   \
	X(DROP_KEEPALIVE,       "nat_keepalive",        DROP, "RFC 3948 section 2.3: a single 0xff")                   \
	X(DROP_DUMMY,           "esp_dummy",            DROP, "RFC 4303 section 2.6: next header 59")                  \
	X(DROP_OTHER_MAC,       "other_mac",            DROP, "for another station's Ethernet address")                \
	X(DROP_MALFORMED,       "malformed",            DROP, "lengths of Ethernet, IP or UDP contradict each other")  \
	X(DROP_CHECKSUM,        "bad_checksum",         DROP, "IP or UDP checksum wrong")                              \
	X(DROP_NO_POLICY,       "no_policy",            DROP, "plain packet that no rule and no session's networks match") \
	X(DROP_RULE,            "rule_discard",         DROP, "a rule of the configuration says so")                   \
	X(DROP_NO_OUTBOUND,     "no_outbound_sa",       DROP, "its session has no outbound SA yet")                    \
	X(DROP_UNKNOWN_SPI,     "unknown_spi",          DROP, "ESP for no SA of ours")                                 \
	X(DROP_ESP_LENGTH,      "esp_bad_length",       DROP, "ESP too short or no multiple of the block")             \
	X(DROP_REPLAYED,        "esp_replayed",         DROP, "sequence number seen before or too old")                \
	X(DROP_ICV,             "esp_bad_icv",          DROP, "not authentic")                                         \
	X(DROP_PAD,             "esp_bad_pad",          DROP, "authentic, but padding impossible")                     \
	X(DROP_NEXT_HEADER,     "esp_bad_next_header",  DROP, "carries something else than its SA's kind of packet")                    \
	X(DROP_INNER,           "inner_malformed",      DROP, "decrypted, but no valid IP packet")                     \
	X(DROP_SELECTOR,        "inner_not_allowed",    DROP, "decrypted, but outside the SA's traffic selectors")     \
	X(DROP_ECN,             "ecn_invalid",          DROP, "RFC 6040: congestion marked, inner not capable")        \
	X(DROP_CRYPTO,          "crypto_failed",        DROP, "the crypto library refused the job")                    \
	X(DROP_HARD_LIFETIME,   "lifetime_over",        DROP, "the SA carries nothing any more: numbers or bytes used up") \
	X(DROP_TRANSPORT,       "transport_mode",       DROP, "in transit, a fragment or with IP options: not for transport mode") \
	X(DROP_TTL,             "ttl_expired",          DROP, "would leave with a TTL of 0")                           \
	X(DROP_NO_ROUTE,        "no_route",             DROP, "the kernel has no route to it")                         \
	X(DROP_NO_NEIGHBOUR,    "no_neighbour",         DROP, "the next hop's Ethernet address is not known yet")      \
	X(DROP_MTU,             "mtu_exceeded",         DROP, "too big for its port or tunnel, not to be fragmented")  \
	X(DROP_NO_BUFFER,       "no_buffer",            DROP, "the packet pool is empty")                              \
	X(DROP_NO_ROOM,         "no_room",              DROP, "no room for headers in its buffer")                     \
	X(DROP_TRANSMIT,        "transmit_full",        DROP, "the port's transmit queue is full")                     \
	X(DROP_HANDOFF,         "handoff_full",         DROP, "the owner's ring is full")                              \
	X(DROP_KERNEL_RATE,     "kernel_rate",          DROP, "more for the kernel than dataplane.exception_rate")     \
	X(DROP_KERNEL_FULL,     "kernel_full",          DROP, "the exception port takes no more")                      \
	X(DROP_STREAM_FULL,     "stream_full",          DROP, "more ESP for TCP connections than the main thread takes") \
	X(DROP_CONNECTION_LATE, "tcp_late",             DROP, "waited longer for its TCP connection than ike.tcp_delay") \
	X(DROP_CONNECTION_FULL, "tcp_full",             DROP, "no buffer or slot for it in its TCP connection")        \
	X(DROP_CONNECTION_ENDED, "tcp_ended",           DROP, "its TCP connection has ended")                          \
	X(DROP_CONNECTION_HELD, "tcp_held_full",        DROP, "too many segments while their TCP connection is taken over: they come again") \
	X(DROP_CONNECTION_SEGMENT, "tcp_bad_segment",   DROP, "lengths or options of a TCP segment contradict each other") \
	X(DROP_CONNECTION_FRAME, "tcp_bad_frame",       DROP, "too short for ESP or IKE: RFC 9329 section 3")          \
	X(DROP_FRAGMENT_BAD,    "fragment_bad",         DROP, "impossible offset or length")                           \
	X(DROP_FRAGMENT_OVERLAP, "fragment_overlap",    DROP, "overlaps another: its whole packet is refused")         \
	X(DROP_FRAGMENT_TIMEOUT, "fragment_timeout",    DROP, "the rest of its packet did not come")                   \
	X(DROP_FRAGMENT_LIMIT,  "fragment_limit",       DROP, "too many packets in reassembly, in all or of one source, or too many pieces") \
	X(NOTE_KERNEL_REFUSED,  "kernel_refused",       NOTE, "of to_kernel: the kernel's interface did not take it")  \
	X(NOTE_STREAM_REFUSED,  "stream_refused",       NOTE, "of to_stream: sluiced did not take it, for it has enough to do") \
	X(NOTE_STREAM_AWAY,     "stream_away",          NOTE, "of to_stream: no sluiced is attached, or the session has ended") \
	X(NOTE_BYPASSED,        "rule_bypass",          NOTE, "sent on in the clear: a rule of the configuration says so") \
	X(NOTE_REASSEMBLED,     "reassembled",          NOTE, "packets made of fragments")                             \
	X(NOTE_ICMP_RATE,       "icmp_rate",            NOTE, "an ICMP error not made: there were too many")           \
	X(NOTE_MOVED,           "address_seen",         NOTE, "authentic packets from a new outer address")

enum reason {
#define X(id, name, kind, meaning) REASON_##id,
	REASONS(X)
#undef X
	REASON_COUNT,
};
