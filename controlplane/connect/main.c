/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-connect: a branch's gateway, or a single client. Starts as root, or with CAP_NET_ADMIN, makes its interface,
 * gives up what it does not need, and runs one event loop until it is told to stop; then routes and name servers are as
 * they were.
 */
#include "config/connect.h"
#include "config/log.h"
#include "connect/connection.h"
#include "connect/options.h"
#include "connect/status.h"
#include "control/client.h"
#include "control/server.h"
#include "privileges.h"
#include "registration/message.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char program[] = "sluice-connect";
static const char default_config[] = "/etc/sluice/connect.cfg";

struct process {
	struct connect_config *config;
	struct credentials *credentials; /* NULL: no certificates */
	const struct options *options;
	struct privileges privileges;
	struct event_base *base;
	struct event *terminate, *interrupt;
	struct connection connection;
	struct server *server;
	char control_path[CONFIG_PATH_LEN + CONFIG_NAME_LEN + 32];
	int control_fd;
	int status; /* of the process */
};

static void control_path_of(const struct connect_config *config, char *path, size_t size)
{
	snprintf(path, size, "%s/connect-%s.sock", config->base.runtime_dir, config->interface);
}

static void on_stop(evutil_socket_t signal, short what, void *context)
{
	struct process *process = context;

	(void)what;
	log_info("event=stopping signal=%d", (int)signal);
	event_base_loopbreak(process->base);
}

/* --once ends with the first thing that comes about. */
static void end_once(struct process *process, int status)
{
	json_t *state;

	if (!process->options->once)
		return;
	process->status = status;
	state = status_of(&process->connection);
	if (process->options->json && state) {
		json_dumpf(state, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (status == EXIT_SUCCESS) {
		status_show(state, stdout);
	} else {
		fprintf(stderr, "%s: not connected: %s\n", program, process->connection.verdict.sentence);
	}
	fflush(stdout);
	json_decref(state);
	event_base_loopbreak(process->base);
}

static void on_up(void *context)
{
	end_once(context, EXIT_SUCCESS);
}

static void on_failed(void *context)
{
	end_once(context, EXIT_FAILURE);
}

/* The directory of the control socket, for whoever will run. */
static int make_directory(const struct process *process)
{
	const char *path = process->config->base.runtime_dir;

	if (mkdir(path, 0755) < 0) {
		if (errno == EEXIST)
			return 0;
		log_error("event=start_failed reason=\"the directory %s can't be made: %m\"", path);
		return -errno;
	}
	if (chmod(path, 0755) < 0 || chown(path, process->privileges.uid, process->privileges.gid) < 0)
		log_warning("event=directory_not_given path=%s reason=\"%m\"", path);
	return 0;
}

/* --once is no service: nobody asks it anything. */
static int open_control(struct process *process)
{
	struct server_access access = {.program = program, .user = process->privileges.uid};

	if (process->options->once)
		return 0;
	control_path_of(process->config, process->control_path, sizeof(process->control_path));
	process->control_fd = server_listen(process->control_path, &access);
	return process->control_fd < 0 ? process->control_fd : 0;
}

static void on_request_done(void *context)
{
	connection_settle(context);
}

static int serve(struct process *process)
{
	struct server_options options = {
		.access = {.program = program, .user = process->privileges.uid},
		.context = &process->connection,
		.run = status_run,
		.settle = on_request_done,
	};

	if (process->control_fd < 0)
		return 0;
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
	if (!process->terminate || !process->interrupt || event_add(process->terminate, NULL) < 0 ||
		event_add(process->interrupt, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* The whole of it: each step is undone in reverse, from where it came to. */
static int run(struct process *process)
{
	struct connection_hooks hooks = {.context = process, .up = on_up, .failed = on_failed};
	int rc = -ENOMEM;

	process->base = event_base_new();
	if (!process->base)
		return rc;
	rc = watch_signals(process);
	if (rc == 0)
		rc = privileges_find(process->config->base.user, &process->privileges);
	if (rc == 0)
		rc = make_directory(process);
	if (rc < 0)
		goto free_base;
	rc = open_control(process);
	if (rc < 0)
		goto free_base;
	rc = connection_open(&process->connection, process->config, process->credentials, process->base, &hooks);
	if (rc == 0)
		rc = privileges_drop(&process->privileges);
	if (rc == 0)
		rc = serve(process);
	if (rc < 0)
		goto close;
	log_info("event=ready version=%s gateway=%s interface=%s", SLUICE_VERSION, process->config->gateway,
		process->config->interface);
	rc = connection_start(&process->connection);
	if (rc == 0)
		rc = event_base_dispatch(process->base) < 0 ? -EIO : 0;
	server_free(process->server);
close:
	connection_close(&process->connection);
	if (process->control_fd >= 0)
		close(process->control_fd);
	if (process->control_path[0])
		(void)unlink(process->control_path);
free_base:
	if (process->terminate)
		event_free(process->terminate);
	if (process->interrupt)
		event_free(process->interrupt);
	event_base_free(process->base);
	return rc;
}

/* Asks the one that runs. Without a configuration that can be read, where it is by default. */
static int ask(const struct options *options, const struct connect_config *config)
{
	static struct connect_config fallback = {.base.runtime_dir = "/run/sluice", .interface = "sluice0"};
	char path[CONFIG_PATH_LEN + CONFIG_NAME_LEN + 32], error[CLIENT_ERROR_LEN];
	json_t *reply;

	for (size_t i = 0; i < options->n_settings; i++) {
		const struct connect_option *setting = &options->settings[i];

		if (strcmp(setting->setting, "interface") == 0)
			snprintf(fallback.interface, sizeof(fallback.interface), "%s", setting->value);
		if (strcmp(setting->setting, "runtime_dir") == 0)
			snprintf(fallback.base.runtime_dir, sizeof(fallback.base.runtime_dir), "%s", setting->value);
	}
	control_path_of(config ? config : &fallback, path, sizeof(path));
	reply = client_ask(program, path, options->command, NULL, 0, error);
	if (!reply) {
		fprintf(stderr, "%s: %s\n", program, error);
		return EXIT_FAILURE;
	}
	if (options->json) {
		json_dumpf(reply, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (strcmp(options->command, "status") == 0) {
		status_show(reply, stdout);
	} else if (strcmp(options->command, "renew") == 0) {
		printf("A new IKE SA is negotiated in the next seconds.\n");
	} else {
		printf("Negotiating new child SAs: %d.\n",
			(int)json_integer_value(json_object_get(reply, "rekeys_begun")));
	}
	json_decref(reply);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The file that was named; the usual one where nothing else says which gateway; or none. */
static const char *config_path(const struct options *options)
{
	if (options->config)
		return options->config;
	for (size_t i = 0; i < options->n_settings; i++)
		if (strcmp(options->settings[i].setting, "gateway") == 0)
			return NULL;
	return options->command && access(default_config, R_OK) < 0 ? NULL : default_config;
}

int main(int argc, char **argv)
{
	static struct options options;
	static struct process process;
	const char *path;
	int rc = options_parse(argc, argv, &options);

	if (rc >= 0)
		return rc;
	log_open(program, LOG_LEVEL_INFO);
	message_wipe_json();
	rc = privileges_harden();
	if (rc < 0) {
		log_error("event=start_failed reason=\"this process can't protect its memory: %s\"", strerror(-rc));
		return EXIT_FAILURE;
	}
	path = config_path(&options);
	if (options.command && !path)
		return ask(&options, NULL);
	process.config = connect_config_load(path, options.settings, options.n_settings, config_report_stderr, NULL);
	if (!process.config)
		return EXIT_FAILURE;
	if (options.command) {
		rc = ask(&options, process.config);
		goto free_config;
	}
	rc = EXIT_FAILURE;
	if (credentials_load(&process.config->base, &process.credentials, config_report_stderr, NULL) < 0)
		goto free_config;
	rc = EXIT_SUCCESS;
	if (options.check) {
		printf("%s is a good configuration\n", path ? path : "this command line");
		goto free_credentials;
	}
	log_set_level((enum log_level)process.config->base.log_level);
	process.options = &options;
	process.control_fd = -1;
	rc = run(&process) < 0 ? EXIT_FAILURE : process.status;
free_credentials:
	credentials_free(process.credentials);
free_config:
	connect_config_free(process.config);
	return rc;
}
