/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as an IKE message: header, payload chain, and whatever each payload's body may hold, in both phases.
 * The message has memory of its own, exactly as long.
 */
#include "ike/attributes.h"
#include "ike/identity.h"
#include "ike/natt.h"
#include "ike/payload.h"
#include "ike/phase1.h"
#include "ike/phase2.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config_peer peer = {
	.auth = {IKE_AUTH_PSK},
	.n_auth = 1,
	.ike = {{IKE_CIPHER_AES_CBC, 256, IKE_HASH_SHA256, IKE_GROUP_ECP256}},
	.n_ike = 1,
	.esp = {ESP_AES256_GCM, ESP_AES128_CBC_SHA1_96},
	.n_esp = 2,
	.esn = true,
};

static void read_sa(struct bytes body)
{
	struct phase2_terms terms = {.peer = &peer, .nat = body.len & 1, .floated = body.len & 2};
	struct phase1_offers phase1;
	struct phase2_offers phase2;
	char text[PHASE1_TEXT_LEN > PHASE2_TEXT_LEN ? PHASE1_TEXT_LEN : PHASE2_TEXT_LEN];
	const char *why;

	peer.mode = body.len & 4 ? CONFIG_MODE_TRANSPORT : CONFIG_MODE_TUNNEL;
	if (phase1_parse(body, &phase1, &why) == 0 && !phase1_choose(&phase1, &peer, true, 64))
		phase1_explain(&phase1, &peer, false, 64, text);
	if (phase2_parse(body, &phase2, &why) == 0 && !phase2_choose(&phase2, &terms))
		phase2_explain(&phase2, &terms, text);
}

static void read_payload(const struct payload *payload)
{
	char text[CONFIG_IDENTITY_LEN];
	struct attributes attributes;
	uint64_t lifetime_bytes;
	uint32_t lifetime;
	struct prefix network;
	const char *why;

	if (payload->type == ISAKMP_SA)
		read_sa(payload->body);
	if (payload->type == ISAKMP_ID && identity_read(payload->body, text, &why) == 0 && strlen(text) == 0)
		abort();
	if (payload->type == ISAKMP_ID && identity_read_selector(payload->body, &network, &why) == 0 &&
		network.len > 128)
		abort();
	if (payload->type == ISAKMP_ATTRIBUTES && attributes_parse(payload->body, &attributes, &why) == 0)
		for (size_t i = 0; i < attributes.count; i++)
			if (attribute_number(&attributes.items[i]) && attributes.items[i].value.len > 4)
				abort();
	if (payload->type == ISAKMP_NOTIFICATION)
		phase2_read_lifetime(payload->body, &lifetime, &lifetime_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct payload_list list;
	const char *why;

	memcpy(copy, data, size);
	/* The length is made right: finding it is no work for a fuzzer. */
	if (size >= sizeof(struct isakmp_hdr)) {
		const struct isakmp_hdr *hdr;
		struct bytes body = bytes_of(copy + sizeof(*hdr), size - sizeof(*hdr));

		bytes_put32(copy + offsetof(struct isakmp_hdr, length), (uint32_t)size);
		hdr = payload_header(bytes_of(copy, size), &why);
		if (!hdr)
			abort();
		if (payload_parse(hdr->version, hdr->next_payload, body, &list, &why) == 0) {
			natt_read_vendors(&list);
			for (size_t i = 0; i < list.count; i++)
				read_payload(&list.items[i]);
		}
	} else if (payload_header(bytes_of(copy, size), &why)) {
		abort();
	}
	free(copy);
	return 0;
}
