/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "pool.h"
#include "server.h"
#include "status.h"
#include "status_attempts.h"

#include <errno.h>
#include <string.h>

struct command {
	const char *name;
	unsigned n_arguments;
	json_t *(*run)(struct gateway *gateway, const struct control_request *request);
	const char *help;
};

static json_t *run_sessions(struct gateway *gateway, const struct control_request *request)
{
	(void)request;
	return status_sessions(gateway);
}

static json_t *run_ike(struct gateway *gateway, const struct control_request *request)
{
	(void)request;
	return status_ike(gateway);
}

static json_t *run_counters(struct gateway *gateway, const struct control_request *request)
{
	(void)request;
	return status_counters(gateway);
}

static json_t *run_workers(struct gateway *gateway, const struct control_request *request)
{
	(void)request;
	return status_workers(gateway);
}

static json_t *run_crypto(struct gateway *gateway, const struct control_request *request)
{
	(void)request;
	return status_crypto(gateway);
}

static json_t *run_net(struct gateway *gateway, const struct control_request *request)
{
	(void)request;
	return status_net(gateway);
}

/*
 * What the operator calls somebody: a configured peer's name, which stands for all of its sessions, or the identity of
 * one of them.
 */
struct target {
	const struct config_peer *peer; /* NULL: any */
	const char *identity;		/* NULL: any */
};

static struct target target_of(const struct gateway *gateway, const char *name)
{
	const struct config_peer *peer = peers_find(gateway->peers, name);

	return (struct target){.peer = peer, .identity = peer ? NULL : name};
}

static json_t *run_attempts(struct gateway *gateway, const struct control_request *request)
{
	(void)request;
	return status_attempts(gateway);
}

static json_t *run_explain(struct gateway *gateway, const struct control_request *request)
{
	return status_explain(gateway, request->arguments[0]);
}

static json_t *run_delete(struct gateway *gateway, const struct control_request *request)
{
	const char *name = request->arguments[0];
	struct target target = target_of(gateway, name);
	size_t deleted = gateway_delete_peer(gateway, target.peer, target.identity, "deleted by the operator");

	/* No key is left to come back with. */
	deleted += registrations_delete(gateway->registrations, target.peer, target.identity);
	if (deleted == 0 && target.peer)
		return server_refusal("peer \"%s\" is not connected", name);
	if (deleted == 0)
		return server_refusal("no peer \"%s\" is configured, and nobody of that identity is connected", name);
	log_info("event=deleted_by_operator name=\"%s\" deleted=%zu", name, deleted);
	return json_pack("{s:I}", "deleted", (json_int_t)deleted);
}

/* Begins a quick mode for each child SA that carries outbound traffic; its end is told in the log. */
static json_t *run_rekey(struct gateway *gateway, const struct control_request *request)
{
	const char *name = request->arguments[0];
	struct target target = target_of(gateway, name);
	json_int_t begun = 0, sessions = 0;
	int rc = -ENOENT;

	for (uint32_t i = 0; gateway->install && i < gateway->tables->n_sessions; i++)
		sessions += sessions_match(gateway->install->sessions, i, target.peer, target.identity);
	if (sessions == 0 && !target.peer)
		return server_refusal("no peer \"%s\" is configured, and nobody of that identity is connected", name);
	if (sessions == 0)
		return server_refusal("peer \"%s\" has no session", name);
	for (uint32_t i = 0; i < gateway->tables->n_children; i++) {
		const struct session_child *child = &gateway->install->sessions->children[i];

		if (child->id == 0 || !child->active || child->session == TABLES_NONE ||
			!sessions_match(gateway->install->sessions, child->session, target.peer, target.identity))
			continue;
		rc = ike_child_rekey(gateway->ike, child->spi_in);
		begun += rc == 0;
	}
	if (begun == 0)
		return server_refusal("peer \"%s\" can't be rekeyed from here: %s", name,
			rc == -ENOENT ? "there is no IKE SA with it; it has to connect again" : strerror(-rc));
	return json_pack("{s:I}", "rekeys_begun", begun);
}

static json_t *run_leases(struct gateway *gateway, const struct control_request *request)
{
	(void)request;
	return status_leases(gateway);
}

static json_t *run_registrations(struct gateway *gateway, const struct control_request *request)
{
	(void)request;
	return status_registrations(gateway);
}

static json_t *run_release(struct gateway *gateway, const struct control_request *request)
{
	struct pools *pools = clients_pools(gateway->clients);
	char error[POOL_ERROR_LEN] = "no pool is configured";

	if (!pools || pools_release(pools, request->arguments[0], error) < 0)
		return server_refusal("%s", error);
	log_info("event=lease_released name=\"%s\"", request->arguments[0]);
	return json_object();
}

static json_t *run_tcp(struct gateway *gateway, const struct control_request *request)
{
	(void)request;
	return status_tcp(gateway, NULL);
}

static json_t *run_tcp_of(struct gateway *gateway, const struct control_request *request)
{
	json_t *reply = status_tcp(gateway, request->arguments[0]);

	if (!reply || json_array_size(json_object_get(reply, "connections")) > 0)
		return reply;
	json_decref(reply);
	return server_refusal("no TCP connection is of a peer or identity \"%s\", or from there", request->arguments[0]);
}

static json_t *run_log(struct gateway *gateway, const struct control_request *request)
{
	static const char *const levels[] = {"error", "warning", "info", "debug"};

	(void)gateway;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(request->arguments[0], levels[i]) != 0)
			continue;
		log_info("event=log_level level=%s", levels[i]);
		log_set_level((enum log_level)i);
		return json_pack("{s:s}", "level", levels[i]);
	}
	return server_refusal("\"%s\" is no log level: error, warning, info or debug", request->arguments[0]);
}

static json_t *run_help(struct gateway *gateway, const struct control_request *request);

static const struct command commands[] = {
	{"sessions", 0, run_sessions, "sessions with their child SAs"},
	{"ike", 0, run_ike, "IKE SAs"},
	{"counters", 0, run_counters, "counters of the data plane, of IKE and of the control plane"},
	{"workers", 0, run_workers, "the data plane's workers"},
	{"crypto", 0, run_crypto, "what encrypts in the data plane, for each suite"},
	{"net", 0, run_net, "addresses, routes and neighbours given to the data plane"},
	{"attempts", 0, run_attempts, "the newest attempts to connect, and what is said of each"},
	{"explain", 1, run_explain, "the timelines of a peer, an identity, an address or a cookie"},
	{"registrations", 0, run_registrations, "who has registered over TCP, and what that gave them"},
	{"tcp", 0, run_tcp, "TCP connections and their figures"},
	{"tcp", 1, run_tcp_of, "those of a peer, an identity or an address"},
	{"leases", 0, run_leases, "virtual addresses and whose they are"},
	{"release", 1, run_release, "gives up the lease of an identity or an address"},
	{"delete", 1, run_delete, "ends a peer's sessions, or those of an identity, and their IKE SAs"},
	{"rekey", 1, run_rekey, "negotiates new child SAs for a peer or an identity"},
	{"log", 1, run_log, "sets the log level"},
	{"help", 0, run_help, "this list"},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static json_t *run_help(struct gateway *gateway, const struct control_request *request)
{
	json_t *list = json_array();

	(void)gateway;
	(void)request;
	for (size_t i = 0; i < COMMANDS; i++)
		json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "command", commands[i].name, "arguments",
						    (int)commands[i].n_arguments, "help", commands[i].help));
	return json_pack("{s:o}", "commands", list);
}

json_t *commands_run(void *context, const struct control_request *request)
{
	const struct command *like = NULL; /* but for the number of its arguments */
	json_t *reply;

	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(request->command, commands[i].name) != 0)
			continue;
		like = &commands[i];
		if (request->n_arguments != like->n_arguments)
			continue;
		reply = like->run(context, request);
		if (reply && !json_object_get(reply, "ok"))
			json_object_set_new(reply, "ok", json_true());
		return reply;
	}
	if (like)
		return server_refusal("%s takes %u arguments, not %u", request->command, like->n_arguments,
			request->n_arguments);
	return server_refusal("there is no command \"%s\"", request->command);
}
