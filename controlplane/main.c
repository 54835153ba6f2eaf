/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluiced: the control plane. Starts as root, opens what only root may, becomes its own user, and runs one event loop
 * until it is told to stop. The data plane is another process: it may start later, and goes on when this one ends.
 */
#include "config/config.h"
#include "config/log.h"
#include "control/commands.h"
#include "control/server.h"
#include "gateway.h"
#include "ike/credentials.h"
#include "loop.h"
#include "privileges.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char default_config[] = "/etc/sluice/sluice.cfg";

struct options {
	const char *config;
	bool check; /* only say whether the configuration is good */
};

static const char usage[] = "Usage: sluiced [-c FILE]\n"
			    "       sluiced --check FILE\n"
			    "The control plane of Sluice: IKE, sessions, and the operator's control socket.\n"
			    "\n"
			    "  -c, --config FILE  configuration (default /etc/sluice/sluice.cfg)\n"
			    "      --check FILE   say whether FILE is a good configuration, and end\n"
			    "      --version      show the version, and end\n"
			    "  -h, --help         show this, and end\n";

/* Returns -1 to go on, or the process's exit status. */
static int options_parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", required_argument, NULL, 'k'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	*options = (struct options){.config = default_config};
	while ((option = getopt_long(argc, argv, "c:h", names, NULL)) != -1) {
		switch (option) {
		case 'k': options->check = true; /* fall through */
		case 'c': options->config = optarg; break;
		case 'V': printf("sluiced %s\n", SLUICE_VERSION); return EXIT_SUCCESS;
		case 'h': fputs(usage, stdout); return EXIT_SUCCESS;
		default: fputs(usage, stderr); return EXIT_FAILURE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "sluiced: \"%s\" is not understood\n%s", argv[optind], usage);
		return EXIT_FAILURE;
	}
	return -1;
}

struct process {
	struct config *config;
	struct credentials *credentials; /* NULL: no certificates */
	struct privileges privileges;
	struct event_base *base;
	struct event *terminate, *interrupt, *hang_up;
	struct gateway gateway;
	struct server *server;
	char control_path[CONFIG_PATH_LEN];
	int control_fd;
};

static void on_stop(evutil_socket_t signal, short what, void *context)
{
	struct process *process = context;
	const struct install *install = process->gateway.install;

	(void)what;
	log_info("event=stopping signal=%d sessions=%u reason=\"told to; sessions stay installed and their traffic "
		 "goes on\"",
		(int)signal, install ? install->sessions->n_sessions : 0);
	event_base_loopbreak(process->base);
}

static void on_sentence(void *context, const char *sentence)
{
	(void)context;
	log_error("event=certificates_refused reason=\"%s\"", sentence);
}

/* SIGHUP: certificates, keys and revocation lists anew, all of them or none. */
static void on_hang_up(evutil_socket_t signal, short what, void *context)
{
	struct process *process = context;
	struct credentials *fresh;
	char why[TLS_WHY_LEN];
	int rc = credentials_load(process->config, &fresh, on_sentence, NULL);

	(void)signal;
	(void)what;
	if (rc == 0) {
		rc = gateway_use_credentials(&process->gateway, fresh, why);
		if (rc < 0)
			on_sentence(NULL, why);
		credentials_free(rc < 0 ? fresh : process->credentials);
	}
	if (rc < 0) {
		log_error("event=certificates_not_read reason=\"the former ones stay in use\"");
		return;
	}
	process->credentials = fresh;
	log_info("event=certificates_read reason=\"they are used for all that begins from now on\"");
}

static void on_settle(void *context)
{
	gateway_settle(context);
}

/* A directory of sluiced's own, where it is not there yet. */
static int make_directory(const char *path, mode_t mode, const struct process *process)
{
	if (mkdir(path, mode) == 0) {
		if (chmod(path, mode) < 0 || chown(path, process->privileges.uid, process->privileges.gid) < 0)
			log_warning(
				"event=directory_not_given path=%s user=%s reason=\"%m\"", path, process->config->user);
	} else if (errno != EEXIST) {
		log_error("event=start_failed reason=\"the directory %s can't be made: %m\"", path);
		return -errno;
	}
	return 0;
}

/* What may be done only before privileges are given up: sockets, and the directory that they are made in. */
static int open_privileged(struct process *process)
{
	const struct config *config = process->config;
	struct server_access access = {
		.program = "sluiced", .user = process->privileges.uid, .has_group = config->control_group[0]};
	int rc;

	if (access.has_group && privileges_find_group(config->control_group, &access.group) < 0)
		return -ENOENT;
	rc = make_directory(config->runtime_dir, 0755, process);
	if (rc < 0)
		return rc;
	rc = make_directory(config->state_dir, 0700, process);
	if (rc < 0)
		return rc;
	rc = gateway_bind(&process->gateway, config, process->base);
	if (rc < 0)
		return rc;
	process->gateway.credentials = process->credentials;
	snprintf(process->control_path, sizeof(process->control_path), "%s/control.sock", config->runtime_dir);
	process->control_fd = server_listen(process->control_path, &access);
	return process->control_fd < 0 ? process->control_fd : 0;
}

static int open_control(struct process *process)
{
	struct server_options options = {
		.access = {.program = "sluiced",
			.user = process->privileges.uid,
			.has_group = process->config->control_group[0]},
		.context = &process->gateway,
		.run = commands_run,
		.settle = on_settle,
	};

	if (options.access.has_group &&
		privileges_find_group(process->config->control_group, &options.access.group) < 0)
		return -ENOENT;
	process->server = server_new(process->base, process->control_fd, &options);
	if (!process->server)
		return -ENOMEM;
	process->control_fd = -1;
	return 0;
}

static int watch_signals(struct process *process)
{
	signal(SIGPIPE, SIG_IGN);
	process->terminate = evsignal_new(process->base, SIGTERM, on_stop, process);
	process->interrupt = evsignal_new(process->base, SIGINT, on_stop, process);
	process->hang_up = evsignal_new(process->base, SIGHUP, on_hang_up, process);
	if (!process->terminate || !process->interrupt || !process->hang_up || event_add(process->terminate, NULL) < 0 ||
		event_add(process->interrupt, NULL) < 0 || event_add(process->hang_up, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* The whole of it: each step is undone in reverse, from where it came to. */
static int run(struct process *process)
{
	int rc = -ENOMEM;

	process->base = loop_new();
	if (!process->base)
		return rc;
	rc = watch_signals(process);
	if (rc < 0)
		goto free_base;
	rc = privileges_find(process->config->user, &process->privileges);
	if (rc < 0)
		goto free_base;
	rc = open_privileged(process);
	if (rc < 0)
		goto close_gateway;
	rc = privileges_drop(&process->privileges);
	if (rc < 0)
		goto close_control;
	rc = gateway_open(&process->gateway, process->config, process->base);
	if (rc < 0)
		goto close_control;
	rc = open_control(process);
	if (rc < 0)
		goto close_control;
	log_info("event=ready version=%s peers=%zu control=%s", SLUICE_VERSION, process->config->n_peers,
		process->control_path);
	rc = event_base_dispatch(process->base) < 0 ? -EIO : 0;
	server_free(process->server);
close_control:
	if (process->control_fd >= 0)
		close(process->control_fd);
	/* It may be beyond our rights by now; the next start takes it away. */
	(void)unlink(process->control_path);
close_gateway:
	gateway_close(&process->gateway);
free_base:
	if (process->terminate)
		event_free(process->terminate);
	if (process->interrupt)
		event_free(process->interrupt);
	if (process->hang_up)
		event_free(process->hang_up);
	event_base_free(process->base);
	return rc;
}

int main(int argc, char **argv)
{
	struct process process = {.control_fd = -1};
	struct options options;
	int rc = options_parse(argc, argv, &options);

	if (rc >= 0)
		return rc;
	log_open("sluiced", LOG_LEVEL_INFO);
	rc = privileges_harden();
	if (rc < 0) {
		log_error("event=start_failed reason=\"this process can't protect its memory: %s\"", strerror(-rc));
		return EXIT_FAILURE;
	}
	process.config = config_load(options.config, config_report_stderr, NULL);
	if (!process.config)
		return EXIT_FAILURE;
	rc = credentials_load(process.config, &process.credentials, config_report_stderr, NULL);
	if (rc == 0 && options.check) {
		printf("%s is a good configuration\n", options.config);
	} else if (rc == 0) {
		log_set_level((enum log_level)process.config->log_level);
		rc = run(&process);
	}
	credentials_free(process.credentials);
	config_free(process.config);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
