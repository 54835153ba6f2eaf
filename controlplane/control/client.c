/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include "frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int client_connect(const char *program, const char *path, char error[CLIENT_ERROR_LEN])
{
	static const struct timeval patience = {.tv_sec = CLIENT_PATIENCE_SECONDS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(error, CLIENT_ERROR_LEN, "too long a path for a socket: %s", path);
		return -ENAMETOOLONG;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
		connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (errno == EACCES)
		snprintf(error, CLIENT_ERROR_LEN,
			"you may not open %s: be root, %s's user, or a member of its control_group", path, program);
	else
		snprintf(error, CLIENT_ERROR_LEN, "%s does not answer at %s (%s): is it running?", program, path,
			strerror(errno));
	if (fd >= 0)
		close(fd);
	return -EIO;
}

static int send_request(int fd, const char *command, const char *const *arguments, size_t n_arguments)
{
	json_t *list = json_array(), *request;
	char *text;
	int rc = -ENOMEM;

	for (size_t i = 0; i < n_arguments; i++)
		json_array_append_new(list, json_string(arguments[i]));
	/* An argument that is no UTF-8 makes no text, and is missing here. */
	if (json_array_size(list) != n_arguments) {
		json_decref(list);
		return -EILSEQ;
	}
	request = json_pack("{s:s, s:o}", "command", command, "arguments", list);
	text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	if (text)
		rc = frame_write(fd, text, strlen(text));
	free(text);
	json_decref(request);
	return rc;
}

static const char *failure(int rc)
{
	switch (rc) {
	case -EPIPE:
	case -ECONNRESET: return "closed the connection before it answered";
	case -EAGAIN: return "took too long to answer";
	case -EMSGSIZE: return "sent too long an answer";
	case -EILSEQ: return "can't be asked: an argument is no UTF-8 text";
	default: return strerror(-rc);
	}
}

static json_t *take_reply(const char *program, const char *text, size_t len, char error[CLIENT_ERROR_LEN])
{
	json_t *reply = json_loadb(text, len, 0, NULL);
	const char *why = json_string_value(json_object_get(reply, "error"));

	if (json_is_true(json_object_get(reply, "ok")))
		return reply;
	if (why)
		snprintf(error, CLIENT_ERROR_LEN, "%s", why);
	else
		snprintf(error, CLIENT_ERROR_LEN, "%s's answer is not understood", program);
	json_decref(reply);
	return NULL;
}

json_t *client_ask_fd(const char *program, int fd, const char *command, const char *const *arguments,
	size_t n_arguments, char error[CLIENT_ERROR_LEN])
{
	int sent = send_request(fd, command, arguments, n_arguments), rc;
	json_t *reply;
	size_t len;
	char *text;

	/* Who refuses us closes at once: its reason may wait behind the broken pipe. */
	rc = sent < 0 && sent != -EPIPE ? sent : frame_read(fd, FRAME_REPLY_MAX, &text, &len);
	if (rc < 0) {
		snprintf(error, CLIENT_ERROR_LEN, "%s %s", program, failure(rc));
		return NULL;
	}
	reply = take_reply(program, text, len, error);
	free(text);
	return reply;
}

json_t *client_ask(const char *program, const char *path, const char *command, const char *const *arguments,
	size_t n_arguments, char error[CLIENT_ERROR_LEN])
{
	int fd = client_connect(program, path, error);
	json_t *reply;

	if (fd < 0)
		return NULL;
	reply = client_ask_fd(program, fd, command, arguments, n_arguments, error);
	close(fd);
	return reply;
}
