/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is published of each TCP connection in the shared tables, in one list, behind which the endpoint's own counters
 * follow (tcp/state.h): it feeds the enum, the names in the tables' header and, by them, sluicectl and metrics.
 */
#pragma once

#include "tcp/state.h"

/*      enum            name                meaning */
#define CONNECTION_FIGURES(X)                                                                                          \
	X(STATE,         "state",            "enum tcp_state: 0 is established")                                        \
	X(WORKER,        "worker",           "that runs it")                                                           \
	X(RATE,          "rate",             "bytes a second that the path was found to take; 0: not known")           \
	X(SRTT,          "srtt",             "smoothed round trip, microseconds")                                      \
	X(RTO,           "rto",              "retransmission timeout, microseconds")                                   \
	X(CWND,          "cwnd",             "congestion window, bytes")                                               \
	X(PEER_WINDOW,   "peer_window",      "the window that the peer offers, bytes")                                 \
	X(FLIGHT,        "flight",           "bytes in flight")                                                        \
	X(MSS,           "mss",              "payload bytes of a segment")                                             \
	X(QUEUE_BYTES,   "queue_bytes",      "inner packets that wait to be encrypted, bytes")                         \
	X(QUEUE_WAIT,    "queue_wait",       "how long the oldest of them has waited, microseconds")                   \
	X(FRAMES_IN,     "frames_in",        "ESP packets received")                                                   \
	X(FRAMES_OUT,    "frames_out",       "ESP packets sent")                                                       \
	X(IKE_IN,        "ike_in",           "IKE messages received")                                                  \
	X(IKE_OUT,       "ike_out",          "IKE messages sent")                                                      \
	X(DROPPED_LATE,  "dropped_late",     "packets that waited longer than ike.tcp_delay")                          \
	X(DROPPED_FULL,  "dropped_full",     "packets for which there was no buffer or slot")                          \
	X(MARKED,        "marked",           "packets marked as having met congestion instead of being dropped")

enum connection_figure {
#define X(id, name, meaning) CONNECTION_FIGURE_##id,
	CONNECTION_FIGURES(X)
#undef X
	CONNECTION_FIGURE_TCP, /* the first of the endpoint's counters */
	CONNECTION_FIGURE_COUNT = CONNECTION_FIGURE_TCP + TCP_COUNTER_COUNT,
};
