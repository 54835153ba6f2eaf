/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control planes that share_test starts as processes of their own: the good one, the one that is killed, and those
 * that must be refused. Each says on its standard output what it found, a line each time.
 */
#pragma once

enum {
	SHARE_PEER_CHILDREN = 4, /* child SAs that `install` leaves alone once they are live */
	SHARE_PEER_NOBODY = 65534,
};

/*
 * Runs one and returns its exit status:
 *   connect PATH [UID]   as user UID: "STATUS SENTENCE", STATUS being 0 or negative errno
 *   limited PATH         the same with room for one more descriptor only; a second line counts those that it kept
 *   hello PATH VERSION   greets with that layout version; the same line
 *   garbage PATH LENGTH  greets with that many bytes of nothing, 0: not at all; the same line
 *   install PATH         "ready" with the first child SAs live, then installs and removes others until it is killed
 *   adopt PATH           "adopted CHILDREN SESSIONS PEER", then removes them; "free" when every slot is
 */
int share_peer_run(int argc, char **argv);
