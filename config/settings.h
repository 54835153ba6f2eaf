/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside config/ only: the settings as one table (settings.c) and what turns a libconfig tree into struct config by it.
 * settings_read checks each value alone, settings_check and settings_check_peers what values mean together. Nothing
 * here stops at an error: each one is passed to the caller's report and counted, so that one reading names them all.
 */
#pragma once

#include "config/config.h"

#include <libconfig.h>

enum setting_type {
	SETTING_INTEGER,
	SETTING_POWER_OF_TWO,
	SETTING_BOOLEAN,
	SETTING_CHOICE,	   /* one of `choices`, stored as its position */
	SETTING_TEXT,	   /* no control characters */
	SETTING_NAME,	   /* a text that can stand in a log line without quotes */
	SETTING_INTERFACE, /* what Linux takes as a network interface's name */
	SETTING_PATH,	   /* absolute */
	SETTING_FILE,	   /* a path; a relative one is stored as it starts at the configuration file */
	SETTING_ADDRESS,
	SETTING_NETWORK,
	SETTING_AUTH,	     /* enum ike_auth */
	SETTING_PROPOSAL,    /* struct ike_proposal */
	SETTING_SUITE,	     /* enum esp_suite_id in one byte */
	SETTING_PFS,	     /* enum ike_group */
	SETTING_PROTOCOL,    /* an IP protocol's number, or CONFIG_PROTOCOL_ANY */
	SETTING_PORT_RANGE,  /* struct config_port_range */
	SETTING_DSCP,	     /* "copy" or a number, in one byte */
	SETTING_SECRET,	     /* its length goes to count_offset */
	SETTING_SECRET_FILE, /* the same, read from a file */
	SETTING_PASSWORD_FILE, /* a text from a file, as short as people have them; its length goes to count_offset */
	SETTING_GROUP,	     /* `members`, at the offset */
	SETTING_GROUPS,	     /* an array of structures in place */
	SETTING_PEERS,	     /* the same, allocated; the count is a size_t */
};

struct setting {
	const char *name; /* NULL: end of the table */
	enum setting_type type;
	const char *fallback; /* in the file's notation; "": absent or zero; NULL: the setting is required */
	const char *meaning;  /* ends "VALUE is not" */
	const char *expected; /* follows "expected"; NULL: made from the range or the choices */
	int64_t min, max;     /* of an integer; `min` of a text: the fewest characters */
	const char *const *choices;
	const struct setting *members;
	size_t offset, size; /* of the field in its structure; of one element when it is an array */
	size_t capacity;     /* elements; 0: a single value */
	size_t count_min;
	size_t count_offset; /* uint16_t number of elements */
};

/* The top level of the file, and of it the groups that stand in files of their own. */
extern const struct setting settings_root[], settings_registration[], settings_kerberos[];

struct settings_reader {
	const char *file;
	void (*report)(void *context, const char *sentence);
	void *context;
	size_t errors;
};

enum { SETTINGS_QUOTE_LEN = 96, SETTINGS_EXPECTED_LEN = 256 };

/*
 * Reads reader->file (NULL: there is none, the tree is empty) and hands the root of its tree to `take`, unless
 * something was wrong already. All texts are wiped afterwards: secrets are among them. What `take` adds to the tree
 * itself comes from the command line, and errors say so.
 */
#define SETTINGS_COMMAND_LINE "command line"
void settings_load(struct settings_reader *reader,
	void (*take)(struct settings_reader *reader, config_setting_t *root, void *context), void *context);

/* Reports "FILE:LINE: " and the formatted rest. A file of NULL: the reader's; line 0: none. */
void settings_refuse_at(struct settings_reader *reader, const char *file, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Reports "FILE:LINE: PATH: " and the formatted rest. `member`, when not NULL, is what `where` lacks. */
void settings_refuse(struct settings_reader *reader, const config_setting_t *where, const char *member,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Reports that the value is not what the setting means. */
void settings_refuse_value(
	struct settings_reader *reader, const struct setting *setting, const config_setting_t *value);

/* Reports a name that is in no row of `members`, with the nearest one that is. */
void settings_refuse_unknown(
	struct settings_reader *reader, const struct setting *members, const config_setting_t *value);

/* The value as a sentence shows it, in SETTINGS_QUOTE_LEN bytes; of a secret its length alone. */
char *settings_quote(const config_setting_t *value, bool secret, char *text);

/* What a setting takes, in SETTINGS_EXPECTED_LEN bytes. */
char *settings_expected(const struct setting *setting, char *text);

/* Fills the structure at `base` with the defaults of `members`, then reads `group`, when there is one, over it. */
void settings_read(
	struct settings_reader *reader, const struct setting *members, const config_setting_t *group, void *base);

/*
 * Checks one value and stores it at `field` of the structure at `base`. False when it was refused, with the error
 * reported and the field as it was.
 */
bool settings_value_store(struct settings_reader *reader, const struct setting *setting, const config_setting_t *value,
	void *base, void *field);

/* Where a file is: a relative path starts at the configuration file. False when it is too long for `path`. */
bool settings_locate(const struct settings_reader *reader, const char *name, char *path, size_t size);

/* settings_value_store for SETTING_SECRET, SETTING_SECRET_FILE and SETTING_PASSWORD_FILE. */
bool settings_secret_store(struct settings_reader *reader, const struct setting *setting, const config_setting_t *value,
	void *base, void *field);

/* Gives each peer the settings of the group `tunnel` that it does not have itself. */
void settings_inherit(const config_setting_t *root, struct config *config);

/* What values mean together. `root` is the tree that `config` was read from. */
void settings_check(struct settings_reader *reader, const config_setting_t *root, const struct config *config);
void settings_check_peers(struct settings_reader *reader, const config_setting_t *root, const struct config *config);
void settings_check_clients(struct settings_reader *reader, const config_setting_t *root, const struct config *config);

void settings_check_kerberos(
	struct settings_reader *reader, const config_setting_t *group, const struct config_kerberos *kerberos);
void settings_check_registration(struct settings_reader *reader, const config_setting_t *root, const struct config *config);

/* That what is behind peers, members and in pools leads to one of them alone. */
void settings_check_networks(struct settings_reader *reader, const config_setting_t *root, const struct config *config);

/* After the checks: a key from a registration is a pre-shared key to IKE. */
void settings_complete_registration(struct config *config);

/* Fills in what follows from other settings: which peers have users, and the first and last address of pools. */
void settings_complete_clients(struct config *config);

/* Of IKE's messages; `where` is the setting, if there is one. */
void settings_check_fragment_size(
	struct settings_reader *reader, const config_setting_t *where, const struct config_ike *ike);

/*
 * What one peer says alone, in the group `where`. `group` stands before the names of IKE's settings in sentences: "ike.",
 * or "" where they are of the top level.
 */
void settings_check_peer(struct settings_reader *reader, const config_setting_t *where, const struct config_ike *ike,
	const struct config_peer *peer, const char *group);

/*
 * libconfig 1.5 cuts an integer that is too large for its type to some other number without a word. Reports each such
 * number of the open file, which errors call `name`, and rewinds it.
 */
void settings_number_check(struct settings_reader *reader, FILE *file, const char *name);
