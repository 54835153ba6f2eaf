/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/names.h"

#include "ike/isakmp.h"

#include <stddef.h>

const char *ike_exchange_name(uint8_t exchange)
{
	switch (exchange) {
	case ISAKMP_MAIN: return "main mode";
	case ISAKMP_AGGRESSIVE: return "aggressive mode";
	case ISAKMP_INFORMATIONAL: return "informational";
	case 6: return "transaction"; /* XAUTH and mode-config */
	case ISAKMP_QUICK: return "quick mode";
	default: return NULL;
	}
}

const char *ike_notify_name(uint16_t type)
{
	static const char *const errors[] = {
		[1] = "INVALID-PAYLOAD-TYPE",
		[2] = "DOI-NOT-SUPPORTED",
		[3] = "SITUATION-NOT-SUPPORTED",
		[4] = "INVALID-COOKIE",
		[5] = "INVALID-MAJOR-VERSION",
		[6] = "INVALID-MINOR-VERSION",
		[7] = "INVALID-EXCHANGE-TYPE",
		[8] = "INVALID-FLAGS",
		[9] = "INVALID-MESSAGE-ID",
		[10] = "INVALID-PROTOCOL-ID",
		[11] = "INVALID-SPI",
		[12] = "INVALID-TRANSFORM-ID",
		[13] = "ATTRIBUTES-NOT-SUPPORTED",
		[14] = "NO-PROPOSAL-CHOSEN",
		[15] = "BAD-PROPOSAL-SYNTAX",
		[16] = "PAYLOAD-MALFORMED",
		[17] = "INVALID-KEY-INFORMATION",
		[18] = "INVALID-ID-INFORMATION",
		[19] = "INVALID-CERT-ENCODING",
		[20] = "INVALID-CERTIFICATE",
		[21] = "CERT-TYPE-UNSUPPORTED",
		[22] = "INVALID-CERT-AUTHORITY",
		[23] = "INVALID-HASH-INFORMATION",
		[24] = "AUTHENTICATION-FAILED",
		[25] = "INVALID-SIGNATURE",
		[26] = "ADDRESS-NOTIFICATION",
		[27] = "NOTIFY-SA-LIFETIME",
		[28] = "CERTIFICATE-UNAVAILABLE",
		[29] = "UNSUPPORTED-EXCHANGE-TYPE",
		[30] = "UNEQUAL-PAYLOAD-LENGTHS",
	};

	if (type < sizeof(errors) / sizeof(errors[0]))
		return errors[type];
	switch (type) {
	case ISAKMP_CONNECTED: return "CONNECTED";
	case ISAKMP_RESPONDER_LIFETIME: return "RESPONDER-LIFETIME";
	case ISAKMP_REPLAY_STATUS: return "REPLAY-STATUS";
	case ISAKMP_INITIAL_CONTACT: return "INITIAL-CONTACT";
	case ISAKMP_R_U_THERE: return "R-U-THERE";
	case ISAKMP_R_U_THERE_ACK: return "R-U-THERE-ACK";
	default: return NULL;
	}
}
