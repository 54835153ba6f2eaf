/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into charon (LD_PRELOAD), so that it negotiates for an ESP that the kernel here has not: what it tells the
 * kernel of SAs and policies is written to the file LAB_XFRM instead, a line each, for tests/lab/esp_peer.py. The kernel
 * gets a message that it confirms and ignores. The SPI is still the kernel's choice.
 *
 *   sa direction=in|out spi=HEX reqid=N mode=transport|tunnel esn=0|1 source=ADDRESS destination=ADDRESS key=HEX
 *   policy direction=in|out reqid=N source=NETWORK destination=NETWORK
 *
 * For AES-GCM alone, without UDP. Keys in a file: for tests.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

typedef ssize_t send_function(int, const void *, size_t, int, const struct sockaddr *, socklen_t);

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to, socklen_t to_len);

static bool is_xfrm(int fd)
{
	int protocol = -1, domain = -1;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == NETLINK_XFRM;
}

/* The attribute of that type among those from `first` to the message's end. */
static const void *attribute(const struct nlmsghdr *message, const void *first, unsigned short type)
{
	const struct rtattr *found = first;
	int len = (int)((const char *)message + message->nlmsg_len - (const char *)first);

	for (; RTA_OK(found, len); found = RTA_NEXT(found, len))
		if (found->rta_type == type)
			return RTA_DATA(found);
	return NULL;
}

static void put_address(FILE *file, const char *name, int family, const xfrm_address_t *address)
{
	char text[INET6_ADDRSTRLEN];

	fprintf(file, " %s=%s", name, inet_ntop(family, address, text, sizeof(text)));
}

/* An inbound SA completes what ALLOCSPI began; an outbound one is new. */
static void write_sa(FILE *file, const struct nlmsghdr *message)
{
	const struct xfrm_usersa_info *sa = NLMSG_DATA(message);
	const struct xfrm_algo_aead *aead =
		attribute(message, (const char *)sa + NLMSG_ALIGN(sizeof(*sa)), XFRMA_ALG_AEAD);

	if (!aead)
		return;
	fprintf(file, "sa direction=%s spi=%08x reqid=%u mode=%s esn=%d", message->nlmsg_type == XFRM_MSG_UPDSA ? "in" : "out",
		ntohl(sa->id.spi), sa->reqid, sa->mode == XFRM_MODE_TRANSPORT ? "transport" : "tunnel",
		(sa->flags & XFRM_STATE_ESN) != 0);
	put_address(file, "source", sa->family, &sa->saddr);
	put_address(file, "destination", sa->family, &sa->id.daddr);
	fprintf(file, " key=");
	for (unsigned int i = 0; i < aead->alg_key_len / 8; i++)
		fprintf(file, "%02x", (unsigned char)aead->alg_key[i]);
	fprintf(file, "\n");
}

static void write_policy(FILE *file, const struct nlmsghdr *message)
{
	const struct xfrm_userpolicy_info *policy = NLMSG_DATA(message);
	const struct xfrm_user_tmpl *template =
		attribute(message, (const char *)policy + NLMSG_ALIGN(sizeof(*policy)), XFRMA_TMPL);

	if (!template || policy->dir > XFRM_POLICY_OUT)
		return;
	fprintf(file, "policy direction=%s reqid=%u", policy->dir == XFRM_POLICY_OUT ? "out" : "in", template->reqid);
	put_address(file, "source", policy->sel.family, &policy->sel.saddr);
	fprintf(file, "/%u", policy->sel.prefixlen_s);
	put_address(file, "destination", policy->sel.family, &policy->sel.daddr);
	fprintf(file, "/%u\n", policy->sel.prefixlen_d);
}

/* Whether the kernel is to be spared this message. */
static bool take(const struct nlmsghdr *message)
{
	const char *name = getenv("LAB_XFRM");
	FILE *file = name ? fopen(name, "ae") : NULL;
	bool taken = file != NULL;

	switch (message->nlmsg_type) {
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
		if (file)
			write_sa(file, message);
		break;
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_UPDPOLICY:
		if (file)
			write_policy(file, message);
		break;
	case XFRM_MSG_DELSA:
	case XFRM_MSG_DELPOLICY:
		break;
	default:
		taken = false;
	}
	if (file)
		fclose(file);
	return taken;
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
	send_function *next = (send_function *)dlsym(RTLD_NEXT, "sendto");
	const struct nlmsghdr *message = data;

	if (len >= sizeof(*message) && is_xfrm(fd) && take(message)) {
		struct nlmsghdr nothing = *message;

		nothing.nlmsg_type = NLMSG_NOOP;
		nothing.nlmsg_len = sizeof(nothing);
		return next(fd, &nothing, sizeof(nothing), flags, to, to_len) < 0 ? -1 : (ssize_t)len;
	}
	return next(fd, data, len, flags, to, to_len);
}
