/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits on guessing passwords: wrong ones are counted by user name and by address, each over a window of time. Many
 * users may share an address (a carrier's NAT, a branch), and one of them who guesses must not shut the others out, nor
 * may anybody shut out a user by guessing from elsewhere. So a user who has logged in from an address before is judged
 * there by what was wrong of that user from that address alone. Clock is a parameter; memory is bounded, the longest
 * unused goes first.
 */
#pragma once

#include <stdint.h>

struct guess;

struct guess_limits {
	uint32_t per_user, per_address; /* wrong passwords in a window; after that none is looked at */
	uint32_t window;		/* seconds, from the first wrong one */
};

enum guess_verdict { GUESS_ALLOWED, GUESS_TOO_MANY_OF_USER, GUESS_TOO_MANY_OF_ADDRESS };

/* NULL with errno. */
struct guess *guess_new(const struct guess_limits *limits, uint64_t seed);
void guess_free(struct guess *guess);

/*
 * Whether a password may be looked at. Where it may it counts as wrong from now on, until guess_right takes that back:
 * so that no number of attempts at the same time passes a limit.
 */
enum guess_verdict guess_try(struct guess *guess, const char *user, const char *address, uint64_t now_ms);

/* The last one was right: the pair is known from now on, and starts from nothing. */
void guess_right(struct guess *guess, const char *user, const char *address);
