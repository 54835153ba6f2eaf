/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* libconfig's scanner ends the whole process when reading fails, as it does on a directory: that is found here. */
static FILE *config_open(struct settings_reader *reader)
{
	FILE *file = fopen(reader->file, "re");
	struct stat st;

	if (!file) {
		settings_refuse_at(reader, NULL, 0, "cannot be read: %s", strerror(errno));
		return NULL;
	}
	if (fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode)) {
		settings_refuse_at(reader, NULL, 0, "cannot be read: it is not a regular file");
		fclose(file);
		return NULL;
	}
	return file;
}

/* The directory of the file, which the caller frees; NULL without memory. */
static char *config_directory(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Wipes every text of the tree: the secrets are among them, under whatever name. */
static void config_wipe_tree(config_setting_t *setting)
{
	if (config_setting_type(setting) == CONFIG_TYPE_STRING && setting->value.sval)
		explicit_bzero(setting->value.sval, strlen(setting->value.sval));
	for (int i = 0; config_setting_is_aggregate(setting) && i < config_setting_length(setting); i++)
		config_wipe_tree(config_setting_get_elem(setting, (unsigned int)i));
}

static void config_parse(struct settings_reader *reader, FILE *file, config_t *tree)
{
	settings_number_check(reader, file, reader->file);
	if (config_read(tree, file))
		return;
	settings_refuse_at(reader, config_error_file(tree), (unsigned int)config_error_line(tree),
		"%s, on this line or just before it; expected NAME = VALUE; with every text in quotes",
		config_error_text(tree));
}

/* Numbers of included files, which are known once the tree is there. */
static void config_check_included(struct settings_reader *reader, const config_t *tree, const char *directory)
{
	for (unsigned int i = 0; i < tree->num_filenames; i++) {
		char *path;
		FILE *file;

		if (asprintf(&path, "%s/%s", directory, tree->filenames[i]) < 0)
			return;
		file = fopen(path, "re");
		if (file) {
			settings_number_check(reader, file, tree->filenames[i]);
			fclose(file);
		}
		free(path);
	}
}

/* Reads the file into the tree. */
static void config_read_file_of(struct settings_reader *reader, config_t *tree)
{
	char *directory = config_directory(reader->file);
	FILE *file = config_open(reader);

	if (!directory)
		settings_refuse_at(reader, NULL, 0, "cannot be read: %s", strerror(ENOMEM));
	if (file && directory) {
		config_set_include_dir(tree, directory);
		config_parse(reader, file, tree);
		config_check_included(reader, tree, directory);
	}
	if (file)
		fclose(file);
	free(directory);
}

void settings_load(struct settings_reader *reader,
	void (*take)(struct settings_reader *reader, config_setting_t *root, void *context), void *context)
{
	config_t tree;

	config_init(&tree);
	if (reader->file)
		config_read_file_of(reader, &tree);
	if (!reader->errors) /* what was not understood would only raise more of them */
		take(reader, config_root_setting(&tree), context);
	config_wipe_tree(config_root_setting(&tree));
	config_destroy(&tree);
}

static void config_take(struct settings_reader *reader, config_setting_t *root, void *context)
{
	struct config *config = context;

	settings_read(reader, settings_root, root, config);
	settings_inherit(root, config);
	settings_complete_clients(config);
	settings_check(reader, root, config);
	settings_complete_registration(config);
}

struct config *config_load(const char *path, void (*report)(void *context, const char *sentence), void *context)
{
	struct settings_reader reader = {.file = path, .report = report, .context = context};
	struct config *config = calloc(1, sizeof(*config));

	if (config)
		settings_load(&reader, config_take, config);
	else
		settings_refuse_at(&reader, NULL, 0, "cannot be read: %s", strerror(ENOMEM));
	if (reader.errors) {
		config_free(config);
		config = NULL;
		errno = EINVAL;
	}
	return config;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	if (config->peers)
		explicit_bzero(config->peers, config->n_peers * sizeof(*config->peers));
	free(config->peers);
	free(config->registration.members);
	free(config);
}

void config_report_stderr(void *context, const char *sentence)
{
	(void)context;
	fprintf(stderr, "%s\n", sentence);
}
