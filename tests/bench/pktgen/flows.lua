-- SPDX-License-Identifier: Apache-2.0
--
-- Pktgen-DPDK settings: plain UDP between the LAN behind Sluice and hosts in the branches' networks, packet by packet to
-- the next branch, for each size in turn; prints what was sent and what arrived. tests/bench/README.md says what stands
-- where. To be changed: the Ethernet addresses, and the rest to taste.

package.path = package.path .. ";?.lua"
require "Pktgen"

local SESSIONS = 64 -- at most 256: one after the other in the third byte of 10.0.x.20
local SIZES = {64, 128, 512, 1420} -- of inner packets, bytes
local SECONDS = 10
local RATE = 100 -- percent of the link
local GATEWAY_MAC = "02:00:00:00:be:00" -- of Sluice on the LAN
local BRANCH_MAC = nil -- of the branch's gateway on its own LAN, on port 1; nil: port 1 only listens, what comes is ESP

local FRAME = 14 + 4 -- Ethernet header and checksum, which Pktgen's sizes include

local function single(set, port, value)
	set(port, "start", value)
	set(port, "inc", "0.0.0.0")
	set(port, "min", value)
	set(port, "max", value)
end

local function branches(set, port)
	set(port, "start", "10.0.0.20")
	set(port, "inc", "0.0.1.0")
	set(port, "min", "10.0.0.20")
	set(port, "max", string.format("10.0.%d.20", SESSIONS - 1))
end

local function prepare(port, mac)
	pktgen.range.dst_mac(port, "start", mac)
	pktgen.range.ip_proto(port, "udp")
	pktgen.set(port, "count", 0)
	pktgen.set(port, "rate", RATE)
	pktgen.set_range(port, "on")
end

local function set_size(port, size)
	for _, what in ipairs({"start", "min", "max"}) do
		pktgen.range.pkt_size(port, what, size + FRAME)
	end
	pktgen.range.pkt_size(port, "inc", 0)
end

local function run(ports, size)
	set_size(ports, size)
	pktgen.clr()
	pktgen.start(ports)
	pktgen.delay(SECONDS * 1000)
	pktgen.stop(ports)
	pktgen.delay(500)
	local stats = pktgen.portStats("all", "port")
	for from, to in pairs({[0] = 1, [1] = 0}) do
		local mpps = stats[to].ipackets / SECONDS / 1e6
		print(string.format("%5d bytes, port %d to %d: sent %.3f Mpps, arrived %.3f Mpps, inner %.2f Gbit/s", size, from, to,
			stats[from].opackets / SECONDS / 1e6, mpps, mpps * size * 8 / 1e3))
	end
end

pktgen.screen("off")
single(pktgen.range.src_ip, "0", "192.168.0.10")
branches(pktgen.range.dst_ip, "0")
prepare("0", GATEWAY_MAC)
local ports = "0"
if BRANCH_MAC then
	branches(pktgen.range.src_ip, "1")
	single(pktgen.range.dst_ip, "1", "192.168.0.10")
	prepare("1", BRANCH_MAC)
	ports = "all"
end
for _, size in ipairs(SIZES) do
	run(ports, size)
end
pktgen.quit()
