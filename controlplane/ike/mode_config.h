/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mode-config (draft-ietf-ipsec-isakmp-mode-cfg-05): the client gets a virtual address, DNS servers and the networks
 * that it reaches through the tunnel (Cisco's UNITY_SPLIT_INCLUDE). Pull: the client asks, and the reply has it. Push:
 * the gateway sets it, and the client acknowledges. Quick mode's selector is the address from then on.
 */
#pragma once

#include "ike/transaction.h"

/* Gateway: pushes, where the peer's configuration says so. */
void mode_config_push(struct ike_sa *sa);

/* Client: asks for an address, or waits for one that is pushed; quick mode begins when it has come. */
void mode_config_pull(struct ike_sa *sa);

/* Gateway. */
enum v1_verdict mode_config_receive_request(struct v1_message *message, const struct attributes *attributes);
enum v1_verdict mode_config_receive_ack(struct v1_message *message);

/* Client. */
enum v1_verdict mode_config_receive_reply(struct v1_message *message, const struct attributes *attributes);
enum v1_verdict mode_config_receive_set(struct v1_message *message, const struct attributes *attributes);
