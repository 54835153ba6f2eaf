/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include "esp/esp.h"
#include "frame.h"
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
	uint64_t iv = session + 1;
	uint8_t inner[ARGUMENTS_SIZE_MAX];
	int len;

	frame_write_outer(frame + FRAME_IP_AT, plan_branch(session), plan_gateway, traffic->arguments->udp,
		(uint16_t)(shape->frame_len - shape->esp_at));
	frame_write_inner(inner, plan_branch_host(session), plan_lan_host, shape->size);
	if (!shape->patch) {
		memcpy(frame + shape->inner_at, inner, shape->size);
		return 0;
	}
	/* The nonce is that of every packet of the session: bad in life, and no difference to who opens it. */
	len = reference_seal_gcm(traffic->suite, traffic->keymat, traffic->spis_in[session], 0, (const uint8_t *)&iv,
		inner, shape->size, frame + shape->esp_at);
	return len < 0 ? len : 0;
}

static int frames_write(struct templates *templates, const struct traffic *traffic, uint32_t session,
	const struct rte_ether_addr *mac, uint16_t port)
{
	int rc = 0;

	for (uint8_t i = 0; rc == 0 && i < templates->n_shapes; i++) {
		const struct template_shape *shape = &templates->shapes[i];
		uint8_t *frame = templates->frames + template_offset(templates, session, i);

		frame_write_ethernet(frame, mac, port);
		if (shape->esp_at)
			rc = esp_write(frame, shape, traffic, session);
		else
			frame_write_inner(frame + FRAME_IP_AT, plan_lan_host, plan_branch_host(session), shape->size);
	}
	return rc;
}

/* Of the longest frame, in an odd number of cache lines: so the frames begin in all sets of a cache alike. */
static uint32_t stride_of(const struct templates *templates)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < templates->n_shapes; i++)
		longest = RTE_MAX(longest, (uint32_t)templates->shapes[i].frame_len);
	return ((longest / RTE_CACHE_LINE_SIZE + 1) | 1) * RTE_CACHE_LINE_SIZE;
}

int templates_make(
	struct templates *templates, const struct traffic *traffic, const struct rte_ether_addr *mac, uint16_t port)
{
	int rc;

	memset(templates, 0, sizeof(*templates));
	rc = shapes_make(templates, traffic);
	if (rc < 0)
		goto fail;
	templates->stride = stride_of(templates);
	rc = -ENOMEM;
	templates->frames =
		rte_malloc("templates", template_offset(templates, traffic->n_sessions, 0), RTE_CACHE_LINE_SIZE);
	if (!templates->frames)
		goto fail;
	for (uint32_t session = 0; session < traffic->n_sessions; session++) {
		rc = frames_write(templates, traffic, session, mac, port);
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
	for (uint32_t i = 0; i < templates->n_shapes; i++)
		rte_free(templates->shapes[i].patch);
	rte_free(templates->frames);
	memset(templates, 0, sizeof(*templates));
}
