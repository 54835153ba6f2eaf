# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Certificates for the two peers of a story, made with openssl. Sourced after net.sh.
#
# shellcheck disable=SC2059 # formats with what stands for line ends

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

# credentials_sign NAME ISSUER EXTENSIONS
credentials_sign() {
	openssl req -new -key "$CREDENTIALS/$1.key" -subj "/C=DE/O=Example/CN=$1" |
		openssl x509 -req -CA "$CREDENTIALS/$2.pem" -CAkey "$CREDENTIALS/$2.key" -days 10 \
			-extfile <(printf "$3") -out "$CREDENTIALS/$1.pem" 2>/dev/null
}

# credentials_certify KIND NAME ALTERNATIVE_NAME [ISSUER]
credentials_certify() {
	credentials_key "$1" "$2"
	credentials_sign "$2" "${4:-authority}" "subjectAltName=$3\nkeyUsage=digitalSignature\n"
}

# credentials_chain KIND NAME ALTERNATIVE_NAME LENGTH: NAME.pem is below so many authorities, which stand behind it in it.
credentials_chain() {
	local issuer=authority i

	for ((i = 1; i <= $4; i++)); do
		credentials_key "$1" "between$i"
		credentials_sign "between$i" "$issuer" "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
		issuer=between$i
	done
	credentials_certify "$1" "$2" "$3" "$issuer"
	for ((i = $4; i >= 1; i--)); do
		cat "$CREDENTIALS/between$i.pem" >>"$CREDENTIALS/$2.pem"
	done
}

# credentials_revoke [NAME]: authority.crl, with this one on it.
credentials_revoke() {
	local settings=$CREDENTIALS/ca.cnf
	local ca=(openssl ca -config "$settings" -keyfile "$CREDENTIALS/authority.key" -cert "$CREDENTIALS/authority.pem")

	printf '[ca]\ndefault_ca=here\n[here]\ndatabase=%s\ndefault_md=sha256\ndefault_crl_days=10\n' "$CREDENTIALS/index" >"$settings"
	: >"$CREDENTIALS/index"
	[[ ! ${1:-} ]] || "${ca[@]}" -revoke "$CREDENTIALS/$1.pem" 2>/dev/null
	"${ca[@]}" -gencrl -out "$CREDENTIALS/authority.crl" 2>/dev/null
}

# credentials_give NAME [LENGTH]: where swanctl looks for them, in the folders beside the file that it reads, with so many
# authorities between.
credentials_give() {
	local i

	rm -rf "$LAB_DIR"/{x509,x509ca,private}
	mkdir -p "$LAB_DIR"/{x509,x509ca,private}
	cp "$CREDENTIALS/$1.pem" "$LAB_DIR/x509/"
	for ((i = 1; i <= ${2:-0}; i++)); do
		cp "$CREDENTIALS/between$i.pem" "$LAB_DIR/x509ca/"
	done
	cp "$CREDENTIALS/$1.key" "$LAB_DIR/private/"
	cp "$CREDENTIALS/authority.pem" "$LAB_DIR/x509ca/"
}
