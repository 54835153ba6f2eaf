# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Certificates for the two peers of a story, made with openssl. Sourced after net.sh.

CREDENTIALS=$LAB_DIR/credentials # authority.pem; hq.pem, hq.key; branch.pem, branch.key

# credentials_make KIND: an authority and a certificate for either side; KIND is that of their keys, rsa or a curve.
credentials_make() {
	mkdir -p "$CREDENTIALS"
	credentials_key "$1" authority
	openssl req -x509 -new -key "$CREDENTIALS/authority.key" -out "$CREDENTIALS/authority.pem" -days 10 \
		-subj "/C=DE/O=Example/CN=authority of $1" -addext "keyUsage=critical,keyCertSign,cRLSign"
	credentials_certify "$1" hq "DNS:$HQ_IDENTITY"
	credentials_certify "$1" branch "DNS:$BRANCH_IDENTITY"
}

credentials_key() {
	local how=(-algorithm EC -pkeyopt "ec_paramgen_curve:$1")

	[[ $1 != rsa ]] || how=(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)
	(umask 077 && openssl genpkey -quiet "${how[@]}" -out "$CREDENTIALS/$2.key")
}

# credentials_certify KIND NAME ALTERNATIVE_NAME
credentials_certify() {
	credentials_key "$1" "$2"
	openssl req -new -key "$CREDENTIALS/$2.key" -subj "/C=DE/O=Example/CN=$2" |
		openssl x509 -req -CA "$CREDENTIALS/authority.pem" -CAkey "$CREDENTIALS/authority.key" -days 10 \
			-extfile <(printf 'subjectAltName=%s\nkeyUsage=digitalSignature\n' "$3") -out "$CREDENTIALS/$2.pem" 2>/dev/null
}

# credentials_give NAME: where swanctl looks for them, in the folders beside the file that it reads.
credentials_give() {
	mkdir -p "$LAB_DIR"/{x509,x509ca,private}
	cp "$CREDENTIALS/$1.pem" "$LAB_DIR/x509/"
	cp "$CREDENTIALS/$1.key" "$LAB_DIR/private/"
	cp "$CREDENTIALS/authority.pem" "$LAB_DIR/x509ca/"
}
