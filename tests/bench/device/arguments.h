/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device string: "net_bench0,mode=out,size=512,...". Read once, when EAL probes the device.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum mode {
	MODE_SINK,  /* sends nothing, takes everything */
	MODE_OUT,   /* sends what is to be encrypted */
	MODE_IN,    /* sends ESP */
	MODE_PEERS, /* acknowledges the TCP segments that come out; see peers.h */
};

/* RFC 9329: is ESP in TCP connections? */
enum tcp {
	TCP_NO,
	TCP_PLAIN,
	TCP_TIMESTAMPS, /* RFC 7323 */
};

/* Each one makes a measurement fail in a known way: the harness checks itself with them. */
enum fault {
	FAULT_NONE,
	FAULT_KEY,    /* "key": the device's key is not the session's */
	FAULT_SILENT, /* "silent": no packet is ever sent */
};

/* With several queues: which one ESP comes to. See source.h. */
enum steer {
	STEER_OWNER,
	STEER_HASH,
};

enum {
	ARGUMENTS_SIZES_MAX = 12,
	ARGUMENTS_SIZE_MIN = 64, /* bytes of an inner packet */
	ARGUMENTS_SIZE_MAX = 1420,
};

struct arguments {
	enum mode mode;
	enum fault fault;
	enum steer steer;
	uint32_t suite;			     /* enum esp_suite_id */
	uint16_t sizes[ARGUMENTS_SIZES_MAX]; /* of inner packets, bytes; packet n has the size n % n_sizes */
	uint32_t n_sizes;
	uint32_t train; /* packets in a row of the same session */
	uint16_t udp;	/* RFC 3948 port; 0: bare ESP, or TCP */
	enum tcp tcp;
	uint32_t acknowledge; /* every so many segments */
	uint32_t rtt_us;      /* until such an acknowledgement arrives */
	bool offload;	      /* the device does TCP checksums */
	uint32_t warm_ms;     /* before the first window */
	uint32_t windows;
	char sessions[PATH_MAX]; /* see plan.h */
	char result[PATH_MAX];	 /* written when the last window has ended */
};

/* 0, or -EINVAL after a sentence on standard error. */
int arguments_parse(const char *text, struct arguments *out);
