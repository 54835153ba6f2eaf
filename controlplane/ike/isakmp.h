/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ISAKMP as it stands on the wire: header, payload bodies and the numbers of RFC 2407, 2408, 2409, 3706 and 3947. Only
 * layout, no behaviour. Every field is an array of bytes, so a structure may be laid over any place of a datagram once
 * its length has been checked.
 */
#pragma once

#include <stdint.h>

/* RFC 2408 section 3.1. */
struct isakmp_hdr {
	uint8_t initiator_cookie[8];
	uint8_t responder_cookie[8];
	uint8_t next_payload;
	uint8_t version; /* major in the upper four bits */
	uint8_t exchange;
	uint8_t flags;
	uint8_t message_id[4];
	uint8_t length[4]; /* of the whole message, this header and padding included */
};

enum { ISAKMP_VERSION_1 = 0x10 };

/* RFC 2408 section 3.1, flags. */
enum isakmp_flag {
	ISAKMP_FLAG_ENCRYPTED = 1,
	ISAKMP_FLAG_COMMIT = 2,
};

/* RFC 2408 section 3.1 and RFC 2409 appendix A, exchange types. */
enum isakmp_exchange {
	ISAKMP_MAIN = 2,
	ISAKMP_AGGRESSIVE = 4,
	ISAKMP_INFORMATIONAL = 5,
	ISAKMP_TRANSACTION = 6,
	ISAKMP_QUICK = 32,
	ISAKMP_NEW_GROUP = 33,
};

/* RFC 2408 section 3.1 and RFC 3947 section 3.2, payload types; the last two are those of its drafts 02 and 03. */
enum isakmp_payload {
	ISAKMP_NONE = 0,
	ISAKMP_SA = 1,
	ISAKMP_PROPOSAL = 2,
	ISAKMP_TRANSFORM = 3,
	ISAKMP_KE = 4,
	ISAKMP_ID = 5,
	ISAKMP_CERT = 6,
	ISAKMP_CERT_REQUEST = 7,
	ISAKMP_HASH = 8,
	ISAKMP_SIGNATURE = 9,
	ISAKMP_NONCE = 10,
	ISAKMP_NOTIFICATION = 11,
	ISAKMP_DELETE = 12,
	ISAKMP_VENDOR_ID = 13,
	ISAKMP_ATTRIBUTES = 14,
	ISAKMP_NAT_D = 20,
	ISAKMP_NAT_OA = 21,
	ISAKMP_NAT_D_DRAFT = 130,
	ISAKMP_NAT_OA_DRAFT = 131,
	ISAKMP_FRAGMENT = 132, /* private use, see fragment.h */
};

/* RFC 2408 section 3.2. The RESERVED byte is zero. */
struct payload_hdr {
	uint8_t next_payload;
	uint8_t reserved;
	uint8_t length[2]; /* with this header */
};

/* RFC 2408 section 3.4, behind the generic header. */
struct sa_hdr {
	uint8_t doi[4];
	uint8_t situation[4];
};

/* RFC 2408 section 3.5; the SPI follows, then the transforms. */
struct proposal_hdr {
	struct payload_hdr generic;
	uint8_t number;
	uint8_t protocol;
	uint8_t spi_len;
	uint8_t transforms;
};

/* RFC 2408 section 3.6; the attributes follow. */
struct transform_hdr {
	struct payload_hdr generic;
	uint8_t number;
	uint8_t id;
	uint8_t reserved[2];
};

/* RFC 2407 section 4.6.2, behind the generic header. */
struct id_hdr {
	uint8_t type;
	uint8_t protocol;
	uint8_t port[2];
};

/* RFC 3947 section 5.2, behind the generic header; the address follows. */
struct nat_oa_hdr {
	uint8_t type; /* ISAKMP_ID_IPV4_ADDR or ISAKMP_ID_IPV6_ADDR */
	uint8_t reserved[3];
};

/* RFC 2408 section 3.9: what a certificate payload holds, in its first byte. */
enum { ISAKMP_CERT_X509_SIGNATURE = 4 };

/* RFC 2408 section 3.14, behind the generic header; SPI and data follow. */
struct notify_hdr {
	uint8_t doi[4];
	uint8_t protocol;
	uint8_t spi_len;
	uint8_t type[2];
};

/* RFC 2408 section 3.15, behind the generic header; the SPIs follow. */
struct delete_hdr {
	uint8_t doi[4];
	uint8_t protocol;
	uint8_t spi_len;
	uint8_t spis[2];
};

/* RFC 2407 section 4.2. */
enum { ISAKMP_DOI_IPSEC = 1, ISAKMP_SITUATION_IDENTITY_ONLY = 1 };

/* RFC 2407 section 4.4.1. */
enum isakmp_protocol {
	ISAKMP_PROTO_ISAKMP = 1,
	ISAKMP_PROTO_AH = 2,
	ISAKMP_PROTO_ESP = 3,
	ISAKMP_PROTO_IPCOMP = 4,
};

/* RFC 2407 section 4.4.2. */
enum { ISAKMP_KEY_IKE = 1 };

/* RFC 2407 section 4.4.4, RFC 3602 section 5.2, RFC 3686 section 5.3, RFC 4106 section 8: ESP transform identifiers. */
enum esp_transform {
	ESP_TRANSFORM_NULL = 11,
	ESP_TRANSFORM_AES_CBC = 12,
	ESP_TRANSFORM_AES_CTR = 13,
	ESP_TRANSFORM_AES_GCM_16 = 20,
};

/* RFC 2409 appendix A, attributes of phase 1. */
enum oakley_attribute {
	OAKLEY_ENCRYPTION = 1,
	OAKLEY_HASH = 2,
	OAKLEY_AUTHENTICATION = 3,
	OAKLEY_GROUP = 4,
	OAKLEY_GROUP_TYPE = 5,
	OAKLEY_LIFE_TYPE = 11,
	OAKLEY_LIFE_DURATION = 12,
	OAKLEY_KEY_LENGTH = 14,
};

/* RFC 2407 section 4.5 and RFC 4304 section 2: attributes of phase 2. */
enum ipsec_attribute {
	IPSEC_LIFE_TYPE = 1,
	IPSEC_LIFE_DURATION = 2,
	IPSEC_GROUP = 3,
	IPSEC_ENCAPSULATION = 4,
	IPSEC_AUTHENTICATION = 5,
	IPSEC_KEY_LENGTH = 6,
	IPSEC_EXTENDED_SEQUENCE = 11,
};

/* RFC 2409 appendix A and RFC 2407 section 4.5 agree in these. */
enum isakmp_life_type {
	ISAKMP_LIFE_SECONDS = 1,
	ISAKMP_LIFE_KILOBYTES = 2,
};

/* RFC 2407 section 4.5 and RFC 3947 section 5.1; the last two are those of its drafts. */
enum ipsec_encapsulation {
	IPSEC_TUNNEL = 1,
	IPSEC_TRANSPORT = 2,
	IPSEC_UDP_TUNNEL = 3,
	IPSEC_UDP_TRANSPORT = 4,
	IPSEC_UDP_TUNNEL_DRAFT = 61443,
	IPSEC_UDP_TRANSPORT_DRAFT = 61444,
};

/* RFC 4304 section 2: the one value of the attribute; without it numbers have 32 bits. */
enum { IPSEC_EXTENDED_SEQUENCE_64 = 1 };

/* RFC 2407 section 4.5 and RFC 4868 section 2.5. */
enum ipsec_authentication {
	IPSEC_HMAC_SHA1 = 2,
	IPSEC_HMAC_SHA256 = 5,
	IPSEC_HMAC_SHA384 = 6,
	IPSEC_HMAC_SHA512 = 7,
};

/* RFC 2407 section 4.6.2.1. */
enum isakmp_id_type {
	ISAKMP_ID_IPV4_ADDR = 1,
	ISAKMP_ID_FQDN = 2,
	ISAKMP_ID_USER_FQDN = 3,
	ISAKMP_ID_IPV4_ADDR_SUBNET = 4,
	ISAKMP_ID_IPV6_ADDR = 5,
	ISAKMP_ID_IPV6_ADDR_SUBNET = 6,
	ISAKMP_ID_DER_ASN1_DN = 9,
	ISAKMP_ID_KEY_ID = 11,
};

/* RFC 2408 section 3.14.1, RFC 2407 section 4.6.3, RFC 3706 section 5.2. */
enum isakmp_notify {
	ISAKMP_INVALID_COOKIE = 4,
	ISAKMP_NO_PROPOSAL_CHOSEN = 14,
	ISAKMP_INVALID_KEY_INFORMATION = 17,
	ISAKMP_INVALID_ID_INFORMATION = 18,
	ISAKMP_AUTHENTICATION_FAILED = 24,
	ISAKMP_NOTIFY_ERROR_MAX = 16383,
	ISAKMP_CONNECTED = 16384,
	ISAKMP_RESPONDER_LIFETIME = 24576,
	ISAKMP_REPLAY_STATUS = 24577,
	ISAKMP_INITIAL_CONTACT = 24578,
	ISAKMP_R_U_THERE = 36136,
	ISAKMP_R_U_THERE_ACK = 36137,
};

/* draft-ietf-ipsec-isakmp-mode-cfg-05 section 3.2, behind the generic header; the attributes follow. */
struct attributes_hdr {
	uint8_t type; /* enum isakmp_cfg */
	uint8_t reserved;
	uint8_t identifier[2];
};

/* Section 3.2 of that draft. */
enum isakmp_cfg {
	ISAKMP_CFG_REQUEST = 1,
	ISAKMP_CFG_REPLY = 2,
	ISAKMP_CFG_SET = 3,
	ISAKMP_CFG_ACK = 4,
};

/*
 * Attributes of a transaction: section 4 of that draft, draft-beaulieu-ike-xauth-02 section 6.2, and those of Cisco's
 * Unity clients.
 */
enum isakmp_cfg_attribute {
	CFG_INTERNAL_IP4_ADDRESS = 1,
	CFG_INTERNAL_IP4_NETMASK = 2,
	CFG_INTERNAL_IP4_DNS = 3,
	CFG_APPLICATION_VERSION = 7,
	XAUTH_TYPE = 16520,
	XAUTH_USER_NAME = 16521,
	XAUTH_USER_PASSWORD = 16522,
	XAUTH_PASSCODE = 16523,
	XAUTH_MESSAGE = 16524,
	XAUTH_CHALLENGE = 16525,
	XAUTH_DOMAIN = 16526,
	XAUTH_STATUS = 16527,
	XAUTH_NEXT_PIN = 16528,
	XAUTH_ANSWER = 16529,
	UNITY_SPLIT_INCLUDE = 28676,
};

/* draft-beaulieu-ike-xauth-02 section 6.2: the one type that is spoken, and the two states. */
enum { XAUTH_TYPE_GENERIC = 0, XAUTH_STATUS_FAIL = 0, XAUTH_STATUS_OK = 1 };

/* One network of UNITY_SPLIT_INCLUDE: address, mask, and six bytes for protocol and ports, which are zero. */
enum { UNITY_NETWORK_LEN = 14 };

/* RFC 2409 section 5: the body of a nonce payload. */
enum { ISAKMP_NONCE_MIN = 8, ISAKMP_NONCE_MAX = 256, ISAKMP_NONCE_OWN = 32 };
