/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which identity a Kerberos principal is: rules, the first that fits decides, and a principal that none fits is
 * nobody. A rule's pattern is a principal in which one asterisk stands for one or more characters of a name's
 * component: never for "/" or "@", so that neither an instance (alice/admin) nor another realm fits by accident. The
 * asterisk of the rule's identity is what the pattern's stood for.
 *
 *     "*@EXAMPLE.COM"          -> "*"              alice@EXAMPLE.COM        is alice
 *     "*@EXAMPLE.COM"          -> ""               alice@EXAMPLE.COM        is alice@EXAMPLE.COM
 *     "host/gw-*@EXAMPLE.COM"  -> "*.vpn.example"  host/gw-ulm@EXAMPLE.COM  is ulm.vpn.example
 *     "bob/admin@EXAMPLE.COM"  -> "bob"            and nobody else is bob
 */
#pragma once

#include "config/kerberos.h"

#include <stddef.h>

/*
 * Writes the identity of `principal` (as gss_display_name writes it). NULL when there is one; else why there is none,
 * a sentence that lasts.
 */
const char *principal_map(const struct config_kerberos_rule *rules, size_t n_rules, const char *principal,
	char identity[CONFIG_KERBEROS_NAME_LEN]);

/* Whether the rules let anybody of this realm in. */
bool principal_realm_known(
	const struct config_kerberos_rule *rules, size_t n_rules, const char *realm, size_t realm_len);
