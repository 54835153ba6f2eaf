/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/principal.h"

#include <string.h>

/*
 * What names are made of. Others are legal in Kerberos, but would have to be escaped somewhere between the KDC and a
 * log line; whoever needs them says so with an issue.
 */
static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-$+";

/* A part of somebody's text. */
struct span {
	const char *at;
	size_t len;
};

static bool span_is(struct span span, const char *text, size_t len)
{
	return span.len == len && memcmp(span.at, text, len) == 0;
}

/* One "@", which ends a name of components with "/" between, none of them empty or of other characters; then a realm.
 */
static bool principal_is_plain(const char *principal)
{
	size_t len;

	do {
		len = strspn(principal, name_characters);
		principal += len;
		if (len == 0)
			return false;
	} while (*principal++ == '/');
	return principal[-1] == '@' && *principal && principal[strspn(principal, name_characters)] == '\0';
}

/* Does it fit, and what does the asterisk stand for? Without an asterisk: nothing. */
static bool pattern_fits(const char *pattern, const char *principal, struct span *star)
{
	size_t len = strlen(principal), before = strcspn(pattern, "*");
	const char *behind = pattern + before + (pattern[before] == '*');
	size_t behind_len = strlen(behind);

	*star = (struct span){"", 0};
	if (!pattern[before])
		return strcmp(pattern, principal) == 0;
	if (len <= before + behind_len || memcmp(pattern, principal, before) != 0 ||
		strcmp(behind, principal + len - behind_len) != 0)
		return false;
	*star = (struct span){principal + before, len - before - behind_len};
	return !memchr(star->at, '/', star->len) && !memchr(star->at, '@', star->len);
}

static const char *identity_write(
	const char *form, const char *principal, struct span star, char identity[CONFIG_KERBEROS_NAME_LEN])
{
	const char *source = form[0] ? form : principal;
	size_t before = strcspn(source, "*");
	const char *behind = source + before + (source[before] == '*');
	size_t len = before + (source[before] ? star.len : 0) + strlen(behind);

	if (len >= CONFIG_KERBEROS_NAME_LEN)
		return "the identity that the rule makes of it is longer than 127 characters";
	memcpy(identity, source, before);
	identity += before;
	if (source[before]) {
		memcpy(identity, star.at, star.len);
		identity += star.len;
	}
	strcpy(identity, behind);
	return NULL;
}

const char *principal_map(const struct config_kerberos_rule *rules, size_t n_rules, const char *principal,
	char identity[CONFIG_KERBEROS_NAME_LEN])
{
	const char *at = strrchr(principal, '@');
	struct span star;

	identity[0] = '\0';
	if (!principal_is_plain(principal))
		return "it has characters that no rule takes: letters, digits and . _ - $ + are taken";
	for (size_t i = 0; i < n_rules; i++)
		if (pattern_fits(rules[i].principal, principal, &star))
			return identity_write(rules[i].identity, principal, star, identity);
	if (principal_realm_known(rules, n_rules, at + 1, strlen(at + 1)))
		return "no rule of registration.kerberos.rules is for this name, though some are for its realm";
	return "no rule of registration.kerberos.rules is for its realm";
}

bool principal_realm_known(
	const struct config_kerberos_rule *rules, size_t n_rules, const char *realm, size_t realm_len)
{
	const struct span span = {realm, realm_len};

	for (size_t i = 0; i < n_rules; i++) {
		const char *at = strrchr(rules[i].principal, '@');

		if (at && span_is(span, at + 1, strlen(at + 1)))
			return true;
	}
	return false;
}
