#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
#   realm.sh PROGRAM [ARGUMENT...]
#
# Runs a test beside a KDC of its own. In $REALM_DIRECTORY it finds krb5.conf and what is listed below; in $REALM_PORT
# the KDC's port on 127.0.0.1.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
. "$TOP/tests/lab/kerberos.sh"

for program in krb5kdc kdb5_util kadmin.local kinit ktutil; do
	command -v "$program" >/dev/null || skip "$program is not installed (tests/packages)"
done

REALM_DIRECTORY=$(mktemp -d)
trap 'realm_stop; rm -rf "$REALM_DIRECTORY"' EXIT
export REALM_DIRECTORY REALM_PORT

realm_begin "$REALM_DIRECTORY"
# shellcheck disable=SC2154 # of kerberos.sh
REALM_PORT=$realm_port

for user in alice alice/admin carol; do
	realm_add_user "$user" "secret of $user"
done
realm_add_service vpn/hq.test "$REALM_DIRECTORY/hq.keytab"
realm_add_service vpn/old.test "$REALM_DIRECTORY/old.keytab" # its key is changed after the keytab was written
realm_kadmin cpw -randkey vpn/old.test
realm_add_service vpn/other.test "$REALM_DIRECTORY/other.keytab"
realm_add_service branch/ulm "$REALM_DIRECTORY/branch.keytab" # a client by keytab
# The right name and version of a key, but another key.
printf 'addent -password -p vpn/hq.test@%s -k 2 -e aes256-cts-hmac-sha384-192\nwrong\nwkt %s\n' \
	"$REALM" "$REALM_DIRECTORY/wrong.keytab" | ktutil >/dev/null
kinit -c "FILE:$REALM_DIRECTORY/alice.cache" -l 10h alice <<<"secret of alice" >/dev/null

"$@"
