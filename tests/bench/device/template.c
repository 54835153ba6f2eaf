/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include "esp/esp.h"
#include "reference.h"

#include <rte_malloc.h>

#include <errno.h>
#include <string.h>

static int shape_make(struct template_shape *shape, const struct traffic *traffic, uint16_t size)
{
	const struct esp_suite *suite = traffic->suite;
	bool udp = traffic->arguments->udp != 0;
	uint16_t esp_len = (uint16_t)(size + esp_overhead(suite, size));

	/* Longer ones would be cut: that is another measurement. */
	if (frame_esp_at(udp) - FRAME_IP_AT + esp_len > RTE_ETHER_MTU)
		return -EMSGSIZE;
	*shape = (struct template_shape){
		.size = size, .frame_len = (uint16_t)(FRAME_IP_AT + size), .inner_at = FRAME_IP_AT};
	shape->frame = rte_malloc("frame", RTE_ETHER_MAX_LEN, RTE_CACHE_LINE_SIZE);
	if (!shape->frame)
		return -ENOMEM;
	if (traffic->arguments->mode == MODE_OUT)
		return 0;
	shape->esp_at = frame_esp_at(udp);
	shape->inner_at = (uint16_t)(shape->esp_at + esp_front_len(suite));
	shape->frame_len = (uint16_t)(shape->esp_at + esp_len);
	shape->icv_at = (uint16_t)(shape->frame_len - suite->icv_len);
	if (suite->mode != ESP_MODE_GCM)
		return 0;
	shape->patch = rte_malloc("patch", sizeof(*shape->patch), RTE_CACHE_LINE_SIZE);
	return shape->patch ? patch_make(shape->patch, suite, traffic->keymat, size) : -ENOMEM;
}

static int shapes_make(struct templates *templates, const struct traffic *traffic)
{
	const struct arguments *arguments = traffic->arguments;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < arguments->n_sizes; i++) {
		uint8_t shape = 0;

		while (shape < templates->n_shapes && templates->shapes[shape].size != arguments->sizes[i])
			shape++;
		if (shape == templates->n_shapes)
			rc = shape_make(&templates->shapes[templates->n_shapes++], traffic, arguments->sizes[i]);
		templates->shape_of[i] = shape;
	}
	return rc;
}

static int esp_write(
	uint8_t *frame, const struct template_shape *shape, const struct traffic *traffic, uint32_t session)
{
	static const uint8_t iv[8] = {1};
	uint8_t inner[ARGUMENTS_SIZE_MAX];
	int len;

	frame_write_outer(frame + FRAME_IP_AT, plan_branch(session), plan_gateway, traffic->arguments->udp,
		(uint16_t)(shape->frame_len - shape->esp_at));
	frame_write_inner(inner, plan_branch_host(session), plan_lan_host, shape->size);
	if (!shape->patch) {
		uint32_t spi = rte_cpu_to_be_32(traffic->spis_in[session]);

		memset(frame + shape->esp_at, 0, (size_t)shape->frame_len - shape->esp_at);
		memcpy(frame + shape->esp_at, &spi, sizeof(spi));
		memcpy(frame + shape->inner_at, inner, shape->size);
		return 0;
	}
	/*
	 * The nonce is that of every packet of every session: bad in life, and no difference to who opens it. So the
	 * key stream is the same too, and ciphertexts differ only where the packets do.
	 */
	len = reference_seal_gcm(traffic->suite, traffic->keymat, traffic->spis_in[session], 0, iv, inner, shape->size,
		frame + shape->esp_at);
	return len < 0 ? len : 0;
}

static int frame_write(uint8_t *frame, const struct template_shape *shape, const struct traffic *traffic,
	uint32_t session, const struct rte_ether_addr *mac, uint16_t port)
{
	frame_write_ethernet(frame, mac, port);
	if (shape->esp_at)
		return esp_write(frame, shape, traffic, session);
	frame_write_inner(frame + FRAME_IP_AT, plan_lan_host, plan_branch_host(session), shape->size);
	return 0;
}

static void header_take(struct template_header *header, const uint8_t *ip, uint32_t address_at)
{
	memcpy(header->checksum, ip + TEMPLATE_CHECKSUM_AT, sizeof(header->checksum));
	memcpy(header->address, ip + address_at, sizeof(header->address));
}

/* What is this session's own, out of its whole frame. -EDOM: that is not all in which it differs. */
static int session_take(struct template_session *own, const struct template_shape *shape, const uint8_t *frame)
{
	uint8_t again[RTE_ETHER_MAX_LEN];

	if (shape->esp_at) {
		header_take(&own->outer, frame + FRAME_IP_AT, TEMPLATE_SOURCE_AT);
		memcpy(own->spi, frame + shape->esp_at, sizeof(own->spi));
		header_take(&own->inner, frame + shape->inner_at, TEMPLATE_SOURCE_AT);
		if (shape->patch)
			memcpy(own->icv, frame + shape->icv_at, sizeof(own->icv));
	} else {
		header_take(&own->inner, frame + FRAME_IP_AT, TEMPLATE_DESTINATION_AT);
	}
	template_write(shape, own, again);
	return memcmp(again, frame, shape->frame_len) == 0 ? 0 : -EDOM;
}

static int frames_make(struct templates *templates, const struct traffic *traffic, uint32_t session,
	const struct rte_ether_addr *mac, uint16_t port)
{
	uint8_t frame[RTE_ETHER_MAX_LEN];
	int rc = 0;

	for (uint8_t i = 0; rc == 0 && i < templates->n_shapes; i++) {
		struct template_shape *shape = &templates->shapes[i];

		rc = frame_write(frame, shape, traffic, session, mac, port);
		if (rc == 0 && session == 0)
			memcpy(shape->frame, frame, shape->frame_len);
		if (rc == 0)
			rc = session_take(
				&templates->sessions[(size_t)session * templates->n_shapes + i], shape, frame);
	}
	return rc;
}

int templates_make(
	struct templates *templates, const struct traffic *traffic, const struct rte_ether_addr *mac, uint16_t port)
{
	int rc;

	memset(templates, 0, sizeof(*templates));
	rc = shapes_make(templates, traffic);
	if (rc < 0)
		goto fail;
	rc = -ENOMEM;
	templates->sessions = rte_zmalloc("templates",
		(size_t)traffic->n_sessions * templates->n_shapes * sizeof(*templates->sessions), RTE_CACHE_LINE_SIZE);
	if (!templates->sessions)
		goto fail;
	for (uint32_t session = 0; session < traffic->n_sessions; session++) {
		rc = frames_make(templates, traffic, session, mac, port);
		if (rc < 0)
			goto fail;
	}
	return 0;
fail:
	templates_free(templates);
	return rc;
}

void templates_free(struct templates *templates)
{
	for (uint32_t i = 0; i < templates->n_shapes; i++) {
		rte_free(templates->shapes[i].patch);
		rte_free(templates->shapes[i].frame);
	}
	rte_free(templates->sessions);
	memset(templates, 0, sizeof(*templates));
}
