/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluicectl: the operator's tool. Each command is a row of one table: what the operator types, what sluiced is asked,
 * how the answer is shown.
 */
#include "client.h"
#include "config/config.h"
#include "show.h"
#include "show_attempts.h"
#include "show_tcp.h"
#include "suggest.h"
#include "user.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char default_config[] = "/etc/sluice/sluice.cfg";
static const char default_socket[] = "/run/sluice/control.sock";

struct options {
	const char *socket, *config;
	bool json, wide;
};

struct command {
	const char *words;     /* as typed */
	const char *arguments; /* NULL: none; else the name of the one */
	const char *asks;      /* sluiced's command */
	void (*show)(const json_t *reply, bool wide, FILE *out);
	const char *help;
};

static void show_deleted(const json_t *reply, bool wide, FILE *out)
{
	(void)reply;
	(void)wide;
	fprintf(out, "Deleted.\n");
}

static void show_released(const json_t *reply, bool wide, FILE *out)
{
	(void)reply;
	(void)wide;
	fprintf(out, "Released.\n");
}

static void show_rekeyed(const json_t *reply, bool wide, FILE *out)
{
	(void)wide;
	fprintf(out, "Negotiating new child SAs: %d.\n",
		(int)json_integer_value(json_object_get(reply, "rekeys_begun")));
}

static void show_level(const json_t *reply, bool wide, FILE *out)
{
	(void)wide;
	fprintf(out, "The log level is now %s.\n", json_string_value(json_object_get(reply, "level")));
}

static const struct command commands[] = {
	{"show", NULL, "sessions", show_sessions, "sessions; with --verbose their child SAs too"},
	{"show sessions", NULL, "sessions", show_sessions, "the same"},
	{"show sas", NULL, "sessions", show_sas, "child SAs: SPIs, suite, expiry, traffic"},
	{"show ike", NULL, "ike", show_ike, "IKE SAs, negotiated or under way"},
	{"show counters", NULL, "counters", show_counters,
		"what is not zero: packets' exits, drops, IKE; --all: every one"},
	{"show workers", NULL, "workers", show_workers, "the data plane's workers and how busy they are"},
	{"show crypto", NULL, "crypto", show_crypto,
		"which instructions encrypt, and their cycles a packet; with --verbose all that were measured"},
	{"show tcp", NULL, "tcp", show_tcp,
		"TCP connections: who has them, rate, round trip, loss; --all: strangers' too"},
	{"show tcp", "PEER", "tcp", show_tcp_long,
		"all figures of a peer's, with what they mean; an identity or address will do"},
	{"show net", NULL, "net", show_net, "addresses, routes and neighbours that the data plane knows"},
	{"show attempts", NULL, "attempts", show_attempts,
		"who tried to connect, and the verdict on each; --all: more than the newest"},
	{"explain", "WHO", "explain", show_explain,
		"what happened, and what is wrong; WHO: peer, identity, address or cookie"},
	{"show registrations", NULL, "registrations", show_registrations,
		"who has registered over TCP, and what that gave them"},
	{"show leases", NULL, "leases", show_leases, "virtual addresses and whose they are"},
	{"release", "NAME", "release", show_released, "give up the lease of an identity or an address"},
	{"delete", "NAME", "delete", show_deleted, "end the sessions of a peer, or of an identity, and tell them"},
	{"rekey", "NAME", "rekey", show_rekeyed, "negotiate new keys for the child SAs of a peer or an identity now"},
	{"log", "LEVEL", "log", show_level, "set the log level: error, warning, info or debug"},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]), WORDS_LEN = 128 };

static void usage(FILE *out)
{
	fputs("Usage: sluicectl [OPTION]... COMMAND\n"
	      "\n"
	      "Commands:\n",
		out);
	for (size_t i = 0; i < COMMANDS; i++) {
		char typed[WORDS_LEN];

		snprintf(typed, sizeof(typed), "%s%s%s", commands[i].words, commands[i].arguments ? " " : "",
			commands[i].arguments ? commands[i].arguments : "");
		fprintf(out, "  %-16s %s\n", typed, commands[i].help);
	}
	user_help(out);
	fputs("  help             this text\n"
	      "\n"
	      "Options:\n"
	      "  -s, --socket FILE  sluiced's control socket\n"
	      "  -c, --config FILE  configuration that says where the socket is (default /etc/sluice/sluice.cfg,\n"
	      "                     then /run/sluice/control.sock)\n"
	      "  -j, --json         print sluiced's answer as it is\n"
	      "  -v, --verbose      show more\n"
	      "  -a, --all          show counters that are zero too, and every attempt in full\n"
	      "      --version      show the version, and end\n"
	      "  -h, --help         show this, and end\n",
		out);
}

/* Returns -1 to go on, or the process's exit status. */
static int options_parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{"socket", required_argument, NULL, 's'},
		{"config", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{"verbose", no_argument, NULL, 'v'},
		{"all", no_argument, NULL, 'a'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	*options = (struct options){0};
	while ((option = getopt_long(argc, argv, "s:c:jvah", names, NULL)) != -1) {
		switch (option) {
		case 's': options->socket = optarg; break;
		case 'c': options->config = optarg; break;
		case 'j': options->json = true; break;
		case 'v':
		case 'a': options->wide = true; break;
		case 'V': printf("sluicectl %s\n", SLUICE_VERSION); return EXIT_SUCCESS;
		case 'h': usage(stdout); return EXIT_SUCCESS;
		default: fputs("sluicectl: try sluicectl --help\n", stderr); return EXIT_FAILURE;
		}
	}
	return -1;
}

/*
 * "show counters" of the words that were typed; those beyond two are never part of a command's name. Of two commands of
 * one name it is the one that takes as many arguments as there are.
 */
static const struct command *command_find(int argc, char **argv, int *used)
{
	const struct command *found = NULL;
	char typed[WORDS_LEN];

	for (int words = 1; words <= 2 && words <= argc; words++) {
		snprintf(typed, sizeof(typed), words == 1 ? "%s" : "%s %s", argv[0], words == 1 ? "" : argv[1]);
		for (size_t i = 0; i < COMMANDS; i++)
			if (strcmp(typed, commands[i].words) == 0 &&
				(!found || *used < words || (argc > words) == (commands[i].arguments != NULL))) {
				found = &commands[i];
				*used = words;
			}
	}
	return found;
}

static void unknown_command(int argc, char **argv)
{
	const char *names[COMMANDS + 1];
	char typed[WORDS_LEN];
	const char *near;

	for (size_t i = 0; i < COMMANDS; i++)
		names[i] = commands[i].words;
	names[COMMANDS] = NULL;
	snprintf(typed, sizeof(typed), argc > 1 ? "%s %s" : "%s", argv[0], argc > 1 ? argv[1] : "");
	near = suggest(typed, names);
	if (!near)
		near = suggest(argv[0], names);
	if (near)
		fprintf(stderr, "sluicectl: there is no command \"%s\"; do you mean \"%s\"?\n", typed, near);
	else
		fprintf(stderr, "sluicectl: there is no command \"%s\"; sluicectl --help shows those there are\n",
			typed);
}

/* Where sluiced listens: as told, as configured, or where it is by default. */
static int socket_path(const struct options *options, char *path, size_t size)
{
	const char *file = options->config ? options->config : default_config;
	struct config *config;

	snprintf(path, size, "%s", options->socket ? options->socket : default_socket);
	/* Without -c, a configuration that is not there or not ours to read is no error. */
	if (options->socket || (!options->config && access(file, R_OK) < 0))
		return 0;
	config = config_load(file, config_report_stderr, NULL);
	if (!config)
		return -1;
	snprintf(path, size, "%s/control.sock", config->runtime_dir);
	config_free(config);
	return 0;
}

/* The users file is the configuration's to name. */
static int user_command(const struct options *options, int argc, char **argv)
{
	struct config *config =
		config_load(options->config ? options->config : default_config, config_report_stderr, NULL);
	int status = config ? user_run(argc, argv, config) : EXIT_FAILURE;

	config_free(config);
	return status;
}

static int command_run(const struct options *options, const struct command *command, const char *const *arguments)
{
	char path[CONFIG_PATH_LEN], error[CLIENT_ERROR_LEN];
	json_t *reply;

	if (socket_path(options, path, sizeof(path)) < 0)
		return EXIT_FAILURE;
	reply = client_ask("sluiced", path, command->asks, arguments, command->arguments ? 1 : 0, error);
	if (!reply) {
		fprintf(stderr, "sluicectl: %s\n", error);
		return EXIT_FAILURE;
	}
	if (options->json) {
		json_dumpf(reply, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		command->show(reply, options->wide, stdout);
	}
	json_decref(reply);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct options options;
	int used = 0, wanted, status = options_parse(argc, argv, &options);

	if (status >= 0)
		return status;
	argc -= optind;
	argv += optind;
	if (argc == 0 || strcmp(argv[0], "help") == 0) {
		usage(argc == 0 ? stderr : stdout);
		return argc == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (user_is_command(argc, argv))
		return user_command(&options, argc, argv);
	command = command_find(argc, argv, &used);
	wanted = command && command->arguments ? 1 : 0;
	if (!command || (argc > used && strcmp(command->words, "show") == 0)) {
		unknown_command(argc, argv);
		return EXIT_FAILURE;
	}
	if (argc - used != wanted) {
		fprintf(stderr, "sluicectl: usage: sluicectl %s%s%s\n", command->words, wanted ? " " : "",
			wanted ? command->arguments : "");
		return EXIT_FAILURE;
	}
	return command_run(&options, command, (const char *const *)argv + used);
}
