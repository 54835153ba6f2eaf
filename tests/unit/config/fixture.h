/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations for tests: a directory of its own for each test program's files, and what the reader said about them.
 * The FILE_ macros make a file that is right but for what they are given; it stands alone on its line, as noted.
 */
#pragma once

#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* clang-format off */
#define SECRET "hunter2-hunter2-hunter2"
#define DATAPLANE(line_2) "dataplane = { ports = ( { name = \"hq0\"; device = \"net_null0\"; } );\n" line_2 "\n};\n"
#define IKE(line_5) "ike = { identity = \"hq.example\";\n" line_5 "\n};\n"
#define PEERS(line_8) "peers = (\n" line_8 "\n);\n"
#define PEER_WHO "name = \"b1\"; identity = \"b1.example\";"
#define PEER_KEY "secret = \"" SECRET "\";"
#define PEER_MODE "ikev1 = true; aggressive = true;"
#define PEER_NETS "local_networks = [\"10.0.0.0/8\"]; remote_networks = [\"192.168.1.0/24\"];"
#define FILE_DATAPLANE(line_2) DATAPLANE(line_2) IKE("")
#define FILE_IKE(line_5) DATAPLANE("") IKE(line_5)
#define FILE_PEERS(line_8) DATAPLANE("") IKE("") PEERS(line_8)
#define FILE_PEER(more) FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS more "}")
/* clang-format on */

/* For cmocka's groups: makes and removes the directory. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* The path of `name` in the directory; it lasts until the next call. */
const char *fixture_path(const char *name);

/* Makes or replaces a file of mode 0600. */
void fixture_write(const char *name, const char *text);

/*
 * Loads "NAME" of the directory. What the reader said is in fixture_said then: a line each, with the directory left out
 * of it. The caller frees the configuration.
 */
struct config *fixture_load(const char *name);
const char *fixture_said(void);

/* Writes `text` to t.cfg and loads it. */
struct config *fixture_load_text(const char *text);

/* The text is accepted without a word; the caller frees the configuration. */
struct config *fixture_expect_acceptance(const char *text);

/* The text is refused with exactly these lines. */
void fixture_expect_refusal(const char *text, const char *lines);
