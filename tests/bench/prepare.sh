# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What a measurement needs before it begins: DPDK's source, the release build with the traffic device in it, the peer, huge
# pages. Sourced after tests/lib.sh, tests/packages and tests/lab/huge_pages.sh.

BENCH_BUILD=${BENCH_BUILD:-$TOP/build-bench}
BENCH_PARTS=$BENCH_BUILD/bench
# shellcheck disable=SC2034 # for measure.sh
DEVICE=$BENCH_BUILD/tests/bench/device/libnet_bench.so
# shellcheck disable=SC2034 # for measure.sh
DATAPLANE=$BENCH_BUILD/dataplane/sluice-dataplane
SECGW=$BENCH_PARTS/ipsec-secgw/build/ipsec-secgw

# said DESCRIPTION COMMAND...: its output goes to a log, of which a failure shows the end.
said() {
	local description=$1 log=$BENCH_PARTS/prepare.log

	shift
	printf '%s ... ' "$description" >&2
	if ! "$@" >"$log" 2>&1; then
		printf 'failed\n' >&2
		tail -n 30 "$log" >&2
		fail "$description"
	fi
	printf 'done\n' >&2
}

# The machine's own package sources, asked for source packages, in files of their own: nothing of the system changes.
sources_list() {
	local directory=$1 file

	mkdir -p "$directory/parts" "$directory/lists/partial"
	for file in /etc/apt/sources.list.d/*.sources; do
		[[ ! -e $file ]] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$directory/parts/${file##*/}"
	done
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[[ ! -e $file ]] || sed -n 's/^deb /deb-src /p' "$file" >"$directory/parts/${file##*/}"
	done
}

# The headers for drivers and the example applications are in no binary package. The same version as the libraries.
dpdk_source_fetch() (
	set -e
	version=$(dpkg-query --show --showformat='${source:Version}' libdpdk-dev)
	options=(-q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$BENCH_PARTS/apt/parts"
		-o Dir::State::lists="$BENCH_PARTS/apt/lists" -o APT::Sandbox::User=root)
	sources_list "$BENCH_PARTS/apt"
	cd "$BENCH_PARTS"
	apt-get "${options[@]}" update
	apt-get "${options[@]}" source --download-only "dpdk=$version"
	rm -rf dpdk.new
	mkdir dpdk.new
	tar --extract --strip-components=1 --directory=dpdk.new --file dpdk_*.orig.tar.xz
	mv dpdk.new dpdk
)

bench_build() {
	[[ -f $BENCH_BUILD/build.ninja ]] ||
		meson setup -Dbuildtype=release -Db_lto=true -Dtests=false -Dbench=true "$BENCH_BUILD" "$TOP" || return
	ninja -C "$BENCH_BUILD" -j "$JOBS" dataplane/sluice-dataplane tests/bench/device/libnet_bench.so \
		tests/bench/bench-load tests/bench/bench-latency tests/bench/bench-secgw tests/bench/bench-crypto
}

# As DPDK builds it: its own Makefile, the flags of Debian's libdpdk, which are those of Sluice too.
secgw_build() {
	cp -r "$BENCH_PARTS/dpdk/examples/ipsec-secgw" "$BENCH_PARTS/dpdk/examples/common" "$BENCH_PARTS/" &&
		make -C "$BENCH_PARTS/ipsec-secgw"
}

# bench_prepare_sluice MEMORY: that a gateway asks DPDK for, MiB.
bench_prepare_sluice() {
	mkdir -p "$BENCH_PARTS"
	packages_install bench >&2 || fail "packages are missing"
	[[ -d $BENCH_PARTS/dpdk ]] || said "fetching DPDK's source" dpdk_source_fetch
	said "building Sluice and the traffic device" bench_build
	# Pages of 2 MiB, and for the shared tables half as many.
	huge_pages_reserve $(($1 * 3 / 4)) >&2 || fail "figures without huge pages would mislead"
}

# bench_prepare MEMORY: the same, and the peer.
bench_prepare() {
	bench_prepare_sluice "$1"
	[[ -x $SECGW ]] || said "building the peer, ipsec-secgw" secgw_build
}
