/* SPDX-License-Identifier: Apache-2.0 */
/* The group `registration.kerberos`: whose tickets are taken, and who their principals are. */
#include "config/settings_table.h"

#include <string.h>

/* clang-format off */
static const struct setting rule_settings[] = {
	{"principal", SETTING_TEXT, NULL, "a principal", "one such as \"*@EXAMPLE.COM\" or \"host/gw-*@EXAMPLE.COM\"",
		.min = 1, FIELD(config_kerberos_rule, principal)},
	{"identity", SETTING_TEXT, "", "an identity", "one in which \"*\" is what the principal's stands for",
		FIELD(config_kerberos_rule, identity)},
	{0},
};

const struct setting settings_kerberos[] = {
	{"keytab", SETTING_FILE, "\"/etc/sluice/krb5.keytab\"", "a file", "the path of a keytab",
		FIELD(config_kerberos, keytab)},
	{"service", SETTING_TEXT, "\"vpn\"", "a service", "a name such as \"vpn\", or a principal such as \"vpn/hq.example\"",
		.min = 1, FIELD(config_kerberos, service)},
	{"rules", SETTING_GROUPS, "", "a list of rules", "at most 32 groups: ( { ... }, { ... } )",
		.members = rule_settings, ARRAY(config_kerberos, rules, n_rules)},
	{"token_max", SETTING_INTEGER, "32768", "a size in bytes", RANGE(2048, 48128), FIELD(config_kerberos, token_max)},
	{"rounds_max", SETTING_INTEGER, "12", "a number of tokens", RANGE(1, 16), FIELD(config_kerberos, rounds_max)},
	{"iakerb", SETTING_BOOLEAN, "false", "a boolean", "true or false", FIELD(config_kerberos, iakerb)},
	{"kdc_timeout", SETTING_INTEGER, "10", "a time in seconds", RANGE(1, 60), FIELD(config_kerberos, kdc_timeout)},
	{"kdc_pending", SETTING_INTEGER, "32", "a number of requests", RANGE(1, 1024), FIELD(config_kerberos, kdc_pending)},
	{0},
};
/* clang-format on */

/* The characters of principal.c's names. */
static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-$+";

static size_t count_of(const char *text, char c)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == c;
	return count;
}

/* NAME[/INSTANCE...]@REALM, with at most one asterisk, and none in the realm: whom a realm names is its own affair. */
static bool pattern_is_right(const char *pattern)
{
	const char *realm = strchr(pattern, '@');
	size_t part;

	if (!realm || strspn(realm + 1, name_characters) != strlen(realm + 1) || !realm[1] ||
		count_of(pattern, '*') > 1)
		return false;
	do {
		for (part = 0; pattern[part] == '*' || (pattern[part] && strchr(name_characters, pattern[part]));
			part++)
			;
		if (part == 0)
			return false;
		pattern += part;
	} while (*pattern++ == '/');
	return pattern == realm + 1;
}

/* What follows after the first of two equal patterns is never reached. */
static void rule_check_new(struct settings_reader *reader, const config_setting_t *value,
	const struct config_kerberos *kerberos, unsigned int i)
{
	char quote[SETTINGS_QUOTE_LEN];

	for (unsigned int k = 0; k < i; k++)
		if (strcmp(kerberos->rules[k].principal, kerberos->rules[i].principal) == 0) {
			settings_refuse(reader, value, NULL, "%s is not new: rules[%u] has it; expected each once",
				settings_quote(value, false, quote), k);
			return;
		}
}

static void rule_check(struct settings_reader *reader, const config_setting_t *where,
	const struct config_kerberos *kerberos, unsigned int i)
{
	const struct config_kerberos_rule *rule = &kerberos->rules[i];
	const config_setting_t *principal = config_setting_get_member(where, "principal");
	const config_setting_t *identity = config_setting_get_member(where, "identity");
	char quote[SETTINGS_QUOTE_LEN];

	if (principal && !pattern_is_right(rule->principal))
		settings_refuse(reader, principal, NULL,
			"%s is not a principal's pattern; expected NAME@REALM or NAME/INSTANCE@REALM, with at most one "
			"\"*\", "
			"before the \"@\"",
			settings_quote(principal, false, quote));
	else if (principal)
		rule_check_new(reader, principal, kerberos, i);
	if (identity && count_of(rule->identity, '*') > count_of(rule->principal, '*'))
		settings_refuse(reader, identity, NULL,
			"%s has a \"*\" for which the principal has none; expected as many as there",
			settings_quote(identity, false, quote));
	else if (identity && strpbrk(rule->identity, " \""))
		settings_refuse(reader, identity, NULL, "%s has spaces or quotes; expected an identity without",
			settings_quote(identity, false, quote));
}

void settings_check_kerberos(
	struct settings_reader *reader, const config_setting_t *group, const struct config_kerberos *kerberos)
{
	const config_setting_t *rules = group ? config_setting_get_member(group, "rules") : NULL;

	for (unsigned int i = 0; rules && i < kerberos->n_rules; i++)
		rule_check(reader, config_setting_get_elem(rules, i), kerberos, i);
}
