/* SPDX-License-Identifier: Apache-2.0 */
#include "takeover.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* TCP_INFO's ssthresh while there was no loss yet. */
enum { SSTHRESH_NONE = 0x7fffffff };

/* What the kernel says of one connection. */
struct answers {
	struct tcp_info info;
	struct tcp_repair_window window;
	uint32_t write_seq; /* behind the last byte of the send queue */
	uint32_t rcv_nxt;
	uint32_t ts_value;
	int queued, unsent, unread; /* bytes */
	struct sockaddr_storage local, remote;
};

/* 0 or negative errno; an answer shorter than asked for is none. */
static int ask(int fd, int option, void *answer, socklen_t answer_len)
{
	socklen_t len = answer_len;

	if (getsockopt(fd, IPPROTO_TCP, option, answer, &len) < 0)
		return -errno;
	return len == answer_len ? 0 : -EPROTO;
}

static int tell(int fd, int option, int value)
{
	return setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int ask_queues(int fd, struct answers *answers)
{
	int rc;

	if ((rc = tell(fd, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE)) < 0 ||
		(rc = ask(fd, TCP_QUEUE_SEQ, &answers->write_seq, sizeof(answers->write_seq))) < 0 ||
		(rc = tell(fd, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE)) < 0 ||
		(rc = ask(fd, TCP_QUEUE_SEQ, &answers->rcv_nxt, sizeof(answers->rcv_nxt))) < 0)
		return rc;
	if (ioctl(fd, SIOCOUTQ, &answers->queued) < 0 || ioctl(fd, SIOCOUTQNSD, &answers->unsent) < 0 ||
		ioctl(fd, SIOCINQ, &answers->unread) < 0)
		return -errno;
	if (answers->queued < 0 || answers->unread < 0 || answers->unsent < 0 || answers->unsent > answers->queued)
		return -EPROTO;
	return 0;
}

static int ask_all(int fd, struct answers *answers)
{
	socklen_t local_len = sizeof(answers->local), remote_len = sizeof(answers->remote);
	int rc;

	if ((rc = ask(fd, TCP_REPAIR_WINDOW, &answers->window, sizeof(answers->window))) < 0 ||
		(rc = ask(fd, TCP_TIMESTAMP, &answers->ts_value, sizeof(answers->ts_value))) < 0 ||
		(rc = ask_queues(fd, answers)) < 0)
		return rc;
	if (getsockname(fd, (struct sockaddr *)&answers->local, &local_len) < 0 ||
		getpeername(fd, (struct sockaddr *)&answers->remote, &remote_len) < 0)
		return -errno;
	return 0;
}

/* TCP_INFO is longer in newer kernels, and shorter in older ones. */
static int ask_info(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) < 0)
		return -errno;
	if (len < offsetof(struct tcp_info, tcpi_total_retrans))
		return -EPROTO;
	return info->tcpi_state == TCP_ESTABLISHED ? 0 : -ENOTCONN;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
	/* Both families have it at the same place. */
	return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

/* A queue's bytes, which stay there. *bytes is NULL for none. */
static int peek(int fd, int queue, uint32_t len, uint8_t **bytes)
{
	ssize_t got;
	int rc;

	*bytes = NULL;
	if (len == 0)
		return 0;
	*bytes = malloc(len);
	if (!*bytes)
		return -ENOMEM;
	rc = tell(fd, TCP_REPAIR_QUEUE, queue);
	if (rc < 0)
		return rc;
	got = recv(fd, *bytes, len, MSG_PEEK | MSG_DONTWAIT);
	if (got < 0)
		return -errno;
	return (uint32_t)got == len ? 0 : -EPROTO;
}

static void establish(const struct answers *answers, uint8_t *sent, struct tcp_established *established)
{
	const struct tcp_info *info = &answers->info;
	uint32_t una = answers->write_seq - (uint32_t)answers->queued;
	bool timestamps = info->tcpi_options & TCPI_OPT_TIMESTAMPS, scaled = info->tcpi_options & TCPI_OPT_WSCALE;

	*established = (struct tcp_established){
		.local_port = port_of(&answers->local),
		.remote_port = port_of(&answers->remote),
		.snd_una = una,
		.snd_nxt = answers->write_seq - (uint32_t)answers->unsent,
		.snd_wnd = answers->window.snd_wnd,
		.snd_wl1 = answers->window.snd_wl1,
		.rcv_nxt = answers->rcv_nxt,
		/* Promised with the last ACK, which was of rcv_wup. */
		.rcv_wnd = answers->window.rcv_wup + answers->window.rcv_wnd - answers->rcv_nxt,
		.snd_scale = scaled ? info->tcpi_snd_wscale : 0,
		.rcv_scale = scaled ? info->tcpi_rcv_wscale : 0,
		/* The kernel's is what is left beside timestamps. */
		.mss = (uint16_t)(info->tcpi_snd_mss + (timestamps ? TCP_TIMESTAMPS_LEN : 0)),
		.timestamps = timestamps,
		.sack = info->tcpi_options & TCPI_OPT_SACK,
		.ecn = info->tcpi_options & TCPI_OPT_ECN,
		/* The kernel gives the last bit another meaning; a TSval may not go back (RFC 7323 section 5.2). */
		.ts_value = answers->ts_value + 1,
		.cwnd = info->tcpi_snd_cwnd * info->tcpi_snd_mss,
		.ssthresh = info->tcpi_snd_ssthresh >= SSTHRESH_NONE ? 0 : info->tcpi_snd_ssthresh * info->tcpi_snd_mss,
		.srtt = info->tcpi_rtt,
		.unacknowledged = answers->queued > answers->unsent ? sent : NULL,
	};
}

int takeover_read(struct takeover *takeover, int fd)
{
	struct answers answers;
	int rc = ask_info(fd, &answers.info);

	*takeover = (struct takeover){.fd = fd};
	if (rc < 0)
		return rc;
	rc = tell(fd, TCP_REPAIR, TCP_REPAIR_ON);
	if (rc < 0)
		return rc;
	/* Again, now that nothing moves: the peer may have closed in between. */
	if ((rc = ask_info(fd, &answers.info)) < 0 || (rc = ask_all(fd, &answers)) < 0)
		goto cancel;
	takeover->unread_len = (uint32_t)answers.unread;
	takeover->unsent_len = (uint32_t)answers.unsent;
	if ((rc = peek(fd, TCP_RECV_QUEUE, takeover->unread_len, &takeover->unread)) < 0 ||
		(rc = peek(fd, TCP_SEND_QUEUE, (uint32_t)answers.queued, &takeover->sent)) < 0)
		goto cancel;
	establish(&answers, takeover->sent, &takeover->established);
	return 0;
cancel:
	takeover_cancel(takeover);
	return rc;
}

void takeover_close(struct takeover *takeover)
{
	close(takeover->fd); /* in repair mode, without a word */
	takeover->fd = -1;
}

int takeover_cancel(struct takeover *takeover)
{
	/* Without the window probe that TCP_REPAIR_OFF sends: the kernel's timers go on by themselves. */
	int rc = tell(takeover->fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);

	takeover_free(takeover);
	return rc;
}

void takeover_free(struct takeover *takeover)
{
	free(takeover->unread);
	free(takeover->sent);
	takeover->unread = takeover->sent = NULL;
	takeover->unread_len = takeover->unsent_len = 0;
}
