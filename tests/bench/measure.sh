# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# One measurement: a gateway with the traffic device inside, until the device has written its result. Sourced after
# prepare.sh, with the settings of tests/bench/run.

WORK=$(mktemp -d "${TMPDIR:-/tmp}/sluice-bench.XXXXXX")
JOB_PIDS=()

# job LOG COMMAND...: in the background, and known to jobs_stop.
job() {
	local log=$1

	shift
	"$@" >"$WORK/$log" 2>&1 </dev/null &
	JOB_PIDS+=($!)
}

job_end() {
	local pid=$1 tries

	kill "$pid" 2>/dev/null || :
	for ((tries = 0; tries < 100; tries++)); do
		process_runs "$pid" || break
		sleep 0.05
	done
	kill -KILL "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || :
}

# The gateway goes last: what attached to it sees it alive.
jobs_stop() {
	local i

	for ((i = ${#JOB_PIDS[@]} - 1; i >= 0; i--)); do
		job_end "${JOB_PIDS[i]}"
	done
	JOB_PIDS=()
}

measure_end() {
	jobs_stop
	rm -rf "$WORK"
}

# gateway LOG COMMAND...: in a network namespace of its own, which ends with it; silent about IPv6, with the device loaded.
gateway() {
	local log=$1

	shift
	# shellcheck disable=SC2016 # the inner shell's
	job "$log" unshare --net sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; exec "$@"' sh \
		env LD_PRELOAD="$DEVICE" "$@"
}

# What carries ESP, for the device and for the control plane of the measurement: traffic's and sluice_start's CARRIER.
declare -A DEVICE_CARRIERS=([esp]=udp=0 [udp]=udp=4500 [tcp]=tcp=plain [tcp-ts]=tcp=timestamps)
declare -A LOAD_CARRIERS=([esp]='' [udp]=--udp [tcp]=--tcp [tcp-ts]='--tcp --timestamps')

# traffic DIRECTION SUITE SIZE CARRIER: the two device strings, LAN side and ESP side, into CLEAR and PROTECTED.
traffic() {
	local source="suite=$2,size=$3,train=$TRAIN,windows=$WINDOWS,steer=$STEER,sessions=$WORK/sessions,result=$WORK/result"

	source+=",${DEVICE_CARRIERS[$4]},acknowledge=$ACKNOWLEDGE,rtt=$RTT,offload=$OFFLOAD"
	[[ -z $FAULT ]] || source+=",fault=$FAULT"
	CLEAR=net_bench0 PROTECTED=net_bench1
	case $1 in
	out)
		CLEAR+=",mode=out,$source"
		[[ $4 != tcp* ]] || PROTECTED+=",mode=peers,offload=$OFFLOAD"
		;;
	in) PROTECTED+=",mode=in,$source" ;;
	esac
	rm -f "$WORK/sessions" "$WORK/result"
}

# result: waits for it, and prints it; false when the gateway has ended, or is late.
result() {
	local deadline=$((SECONDS + 30 + WINDOWS / 50 + SESSIONS / 2000))

	while [[ ! -e $WORK/result ]]; do
		((SECONDS < deadline)) && process_runs "${JOB_PIDS[0]}" || return 1
		sleep 0.05
	done
	cat "$WORK/result"
}

# Of WORKERS workers, the measured core and those below it.
worker_cores() {
	# shellcheck disable=SC2153 # the setting, not the local one
	local core=$CORE list=$CORE

	while ((CORE - core + 1 < WORKERS)); do
		core=$((core - 1))
		list+=", $core"
	done
	echo "$list"
}

# A worker on the main thread's core makes room for it: it does before there is traffic, and then it has its full turn.
poll_mode() {
	if ((CORE - WORKERS < MAIN_CORE)); then
		echo adaptive
	else
		echo busy
	fi
}

sluice_configuration() {
	cat <<-CONFIGURATION
		runtime_dir = "$WORK/run";
		user = "";
		dataplane = {
			main_core = $MAIN_CORE;
			worker_cores = [$(worker_cores)];
			poll = "$(poll_mode)";
			huge_pages = "require";
			memory = $(memory_needed);
			max_sessions = $((SESSIONS + 2 * KEEP + 64));
			max_children = $((SESSIONS + 2 * KEEP + 64));
			ports = (
				{ name = "lan0"; device = "$CLEAR"; rx_descriptors = $RING; tx_descriptors = $RING; },
				{ name = "wan0"; device = "$PROTECTED"; rx_descriptors = $RING; tx_descriptors = $RING; }
			);
		};
		ike = { identity = "bench"; tcp_ports = [4009]; };
		peers = ();
	CONFIGURATION
}

# sluice_start LOAD_VERB SUITE CARRIER: after traffic.
sluice_start() {
	local options

	read -ra options <<<"--sessions $SESSIONS --suite $2 ${LOAD_CARRIERS[$3]}"
	[[ $1 != churn ]] || options+=(--rate "$RATE" --seconds "$((WINDOWS / 50))" --keep "$KEEP")
	sluice_configuration >"$WORK/sluice.cfg"
	gateway gateway.log "$DATAPLANE" -c "$WORK/sluice.cfg"
	job load.log taskset -c "$MAIN_CORE" "$BENCH_BUILD/tests/bench/bench-load" "$1" \
		"$WORK/run/dataplane.sock" "$WORK/sessions" "${options[@]}"
}

# Each variant: measure_VARIANT DIRECTION SUITE SIZE. Prints the result; false without one, 3 when it has no such suite.

# sluice CARRIER DIRECTION SUITE SIZE
sluice() {
	local carrier=$1 status=0

	shift
	traffic "$@" "$carrier"
	sluice_start hold "$2" "$carrier"
	result || status=1
	jobs_stop
	return $status
}

measure_sluice() { sluice esp "$@"; }
measure_sluice-udp() { sluice udp "$@"; }

# The device's peers send what AES-GCM has sealed, and no other suite.
sluice_in_tcp() {
	[[ $2 == out || $3 == *gcm ]] || return 3
	sluice "$@"
}
measure_sluice-tcp() { sluice_in_tcp tcp "$@"; }
measure_sluice-tcp-ts() { sluice_in_tcp tcp-ts "$@"; }

# What it can hold: one worker's settings here, and its table of policies has no more places.
SECGW_SESSIONS_MAX=1024

# secgw CRYPTO DIRECTION SUITE SIZE OPTION...
secgw() {
	local crypto=$1 direction=$2 suite=$3 size=$4 status=0 driver=crypto_aesni_mb0

	shift 4
	((WORKERS == 1 && SESSIONS <= SECGW_SESSIONS_MAX)) || return 3
	[[ $suite != *gcm ]] || driver=crypto_aesni_gcm0
	traffic "$direction" "$suite" "$size" esp
	"$BENCH_BUILD/tests/bench/bench-secgw" "$WORK/sessions" "$SESSIONS" "$suite" "$crypto" >"$WORK/secgw.cfg" || return
	gateway gateway.log "$SECGW" -l "$CORE" -n 4 --in-memory --no-pci --no-telemetry -m 512 \
		--vdev "$CLEAR" --vdev "$PROTECTED" --vdev "$driver" \
		-- -p 0x3 -P -u 0x2 "$@" "--config=(0,0,$CORE),(1,0,$CORE)" -f "$WORK/secgw.cfg"
	result || status=1
	jobs_stop
	return $status
}

# Its older code, without a replay window; and the one on DPDK's ipsec library, with the smallest that it has.
measure_secgw() {
	case $2 in
	chacha* | *sha384 | *sha512) return 3 ;;
	*) secgw lookaside "$@" ;;
	esac
}
measure_secgw-lib() {
	case $2 in
	*gcm | chacha*) secgw cpu-crypto "$@" -l -w 64 ;;
	*) secgw lookaside "$@" -l -w 64 ;;
	esac
}
