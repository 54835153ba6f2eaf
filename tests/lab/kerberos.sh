# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Private Kerberos realms for tests: a KDC of MIT's package, its database and its clients' krb5.conf in one directory,
# nothing of it in /etc. To be sourced; KRB5_CONFIG and KRB5_KDC_PROFILE are set for what follows. Names are EXAMPLE.TEST
# unless REALM says otherwise.
#
#   realm_make DIRECTORY ADDRESS PORT  a new realm, whose KDC will be there
#   realm_start                        its KDC, in the background until realm_stop; ready on return
#   realm_begin DIRECTORY              both, at a port of 127.0.0.1 that nobody has: $realm_port
#   realm_add_user NAME PASSWORD
#   realm_add_service NAME KEYTAB      a random key, also into the keytab; again: the key's next version
#   realm_set NAME OPTION...           kadmin's modify_principal
#   realm_stop

REALM=${REALM:-EXAMPLE.TEST}
PATH=$PATH:/usr/sbin
realm_directory= realm_address= realm_port= realm_pid=

realm_make() {
	realm_directory=$1 realm_address=$2 realm_port=$3
	export KRB5_CONFIG=$realm_directory/krb5.conf KRB5_KDC_PROFILE=$realm_directory/kdc.conf
	export KRB5CCNAME=FILE:$realm_directory/cache
	mkdir -p "$realm_directory"
	# No name service is asked for anything; kdc_timesync off: a wrong clock stays wrong.
	cat >"$KRB5_CONFIG" <<-END
		[libdefaults]
		    default_realm = $REALM
		    dns_lookup_kdc = false
		    dns_lookup_realm = false
		    dns_canonicalize_hostname = false
		    rdns = false
		    kdc_timesync = 0
		[realms]
		    $REALM = {
		        kdc = $realm_address:$realm_port
		    }
	END
	cat >"$KRB5_KDC_PROFILE" <<-END
		[kdcdefaults]
		    kdc_listen = $realm_address:$realm_port
		    kdc_tcp_listen = $realm_address:$realm_port
		[realms]
		    $REALM = {
		        database_name = $realm_directory/principal
		        key_stash_file = $realm_directory/stash
		        acl_file = $realm_directory/kadm5.acl
		        supported_enctypes = aes256-cts-hmac-sha384-192:normal aes128-cts-hmac-sha1-96:normal
		        default_principal_flags = +preauth
		    }
		[logging]
		    kdc = FILE:$realm_directory/kdc.log
		    default = FILE:$realm_directory/krb5.log
	END
	: >"$realm_directory/kadm5.acl"
	# The database's master key protects nothing here.
	kdb5_util -r "$REALM" -P master create -s >/dev/null
}

realm_kadmin() {
	local said

	said=$(kadmin.local -r "$REALM" "$@" 2>&1) || {
		echo "kadmin.local $*: $said" >&2
		return 1
	}
}

realm_add_user() {
	realm_kadmin addprinc -pw "$2" "$1"
}

realm_add_service() {
	kadmin.local -r "$REALM" getprinc "$1" 2>&1 | grep -q '^Principal:' || realm_kadmin addprinc -randkey "$1"
	realm_kadmin ktadd -k "$2" "$1"
}

realm_set() {
	local name=$1

	shift
	realm_kadmin modprinc "$@" "$name"
}

realm_start() {
	krb5kdc -r "$REALM" -n >"$realm_directory/kdc.out" 2>&1 &
	realm_pid=$!
	for _ in {1..100}; do
		! grep -qs 'commencing operation' "$realm_directory/kdc.out" "$realm_directory/kdc.log" || return 0
		kill -0 "$realm_pid" 2>/dev/null || break
		sleep 0.1
	done
	cat "$realm_directory/kdc.out" "$realm_directory/kdc.log" >&2
	return 1
}

# Several realms may begin at once.
realm_begin() {
	for _ in {1..20}; do
		rm -rf "${1:?}"/*
		realm_make "$1" 127.0.0.1 $((20000 + RANDOM % 12000))
		! realm_start 2>/dev/null || return 0
	done
	echo "no KDC could be started" >&2
	return 1
}

realm_stop() {
	[[ -z $realm_pid ]] || kill "$realm_pid" 2>/dev/null
	[[ -z $realm_pid ]] || wait "$realm_pid" 2>/dev/null || :
	realm_pid=
}
