/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that lists name servers (resolv.conf), while the tunnel stands: the former one, be it a link, is set aside
 * as FILE.before-INTERFACE and comes back as it was. Both ways are one rename at the end: no reader meets half a file.
 */
#pragma once

#include "tables/address.h"

#include <stddef.h>

/* Sets `file` aside and writes the servers in its place. 0; negative errno, and then all is as it was. */
int dns_replace(const char *file, const char *interface, const struct address *servers, size_t count);

/* Puts the former one back; where there was none, takes ours away. 0 (also when ours is not there) or negative errno.
 */
int dns_restore(const char *file, const char *interface);
