#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Sends what nobody should send to an ESP peer, modelled on packets of a real tunnel.

  forge.py KIND CAPTURE DEVICE MAC

KIND is a function below. CAPTURE is a pcap file in which the peer's ESP in UDP towards HQ is found; sources and ports
are taken from there, so that the firewall on the way maps the forged packets too. The frames leave through DEVICE to
the Ethernet address MAC. Prints how many were sent. All randomness has a fixed seed.
"""
import logging
import random
import struct
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)  # it dissects the garbage, too

from scapy.all import IP, UDP, Ether, Raw, fragment, get_if_hwaddr, rdpcap, sendp

HQ_OUTSIDE = "198.51.100.88"
HQ_INSIDE = "192.168.2.200"
IKE_PORT, NAT_PORT = 500, 4500
NON_ESP_MARKER = bytes(4)


def tunnel_packets(capture):
    """The peer's ESP packets towards HQ, oldest first: IP headers and below."""
    found = []
    for frame in rdpcap(capture):
        if UDP not in frame or frame[IP].dst != HQ_OUTSIDE or frame[UDP].dport != NAT_PORT or frame[IP].flags.MF:
            continue
        payload = bytes(frame[UDP].payload)
        if len(payload) > 8 and payload[:4] != NON_ESP_MARKER:
            found.append(frame[IP])
    if not found:
        sys.exit(f"forge.py: {capture} has no ESP in UDP towards {HQ_OUTSIDE}")
    return found


def remade(model, payload, port=NAT_PORT):
    """A packet of the model's source with another payload; checksums and lengths are right."""
    return IP(src=model.src, dst=model.dst, ttl=60) / UDP(sport=model[UDP].sport, dport=port) / Raw(payload)


def unknown_spi(models):
    model = models[-1]
    body = bytes(model[UDP].payload)[8:]
    return [remade(model, struct.pack("!II", spi, 1) + body)
            for spi in (0x100, 0x7fffffff, 0x80000000, 0xffffffff, *(random.getrandbits(32) | 1 << 31 for _ in range(96)))]


def bad_icv(models):
    packets = []
    payload = bytes(models[-1][UDP].payload)
    spi, sequence = struct.unpack("!II", payload[:8])
    for ahead in range(1, 101):
        # Ahead of all that was sent, so that the replay window does not refuse it first.
        forged = bytearray(struct.pack("!II", spi, sequence + 100000 + ahead) + payload[8:])
        forged[random.randrange(8, len(forged))] ^= 1 << random.randrange(8)
        packets.append(remade(models[-1], bytes(forged)))
    return packets


def replayed(models):
    return [remade(model, bytes(model[UDP].payload)) for model in models[-100:]]


def truncated(models):
    payload = bytes(models[-1][UDP].payload)
    return [remade(models[-1], payload[:length]) for length in range(1, min(len(payload), 64))]


def garbage_ike(models):
    """IKE messages: noise, lengths that lie, payload chains that do not end, and no more than a header."""
    packets = []
    for count in range(200):
        cookies = random.randbytes(8) + (bytes(8) if count % 2 else random.randbytes(8))
        body = random.randbytes(random.randrange(0, 600))
        exchange, version = random.choice((2, 4, 5, 32, 34, 35, 255)), random.choice((0x10, 0x20, 0xff))
        length = random.choice((28 + len(body), 0, 27, 28, 65535, 0xffffffff))
        message = cookies + struct.pack("!BBBBII", random.randrange(256), version, exchange, random.randrange(256),
                                        random.getrandbits(32), length) + body
        if count % 5 == 0:
            message = random.randbytes(random.randrange(1, 40))
        if count % 5 == 1:
            message = message[:16] + struct.pack("!BBBBII", 1, 0x10, 4, 0, 0, 28 + 400) + struct.pack("!BBH", 1, 0, 4) * 100
        packets.append(remade(models[-1], message, IKE_PORT))
        packets.append(remade(models[-1], NON_ESP_MARKER + message, NAT_PORT))
    return packets


# A firewall that reassembles would hold the following back: they are meant for the LAN of HQ, behind it.

def inside(packet):
    packet = packet.copy()
    packet.dst = HQ_INSIDE
    del packet.chksum
    del packet[UDP].chksum
    return IP(bytes(packet))


def large(model, identification, source=None):
    packet = inside(remade(model, b"\x80" + random.randbytes(3999)))
    packet.id = identification
    packet.src = source or packet.src
    return fragment(packet, 1000)


def endless_fragments(models):
    """Packets whose rest never comes: from the peer's address, and from many."""
    packets = []
    for identification in range(1, 1501):
        source = None if identification % 3 else f"198.18.{random.randrange(256)}.{random.randrange(1, 255)}"
        pieces = large(models[-1], identification, source)
        packets.append(pieces[identification % (len(pieces) - 1)])
    return packets


def overlapping_fragments(models):
    packets = []
    for identification in range(2001, 2101):
        pieces = large(models[-1], identification)
        again = pieces[1].copy()
        again.frag -= 8  # units of 8 bytes
        del again.chksum
        packets += [pieces[0], pieces[1], again, *pieces[2:]]
    return packets


def impossible_fragments(models):
    """Beyond the largest packet, not a multiple of eight, empty."""
    packets = []
    for identification in range(3001, 3034):
        base = inside(models[-1])
        for offset, more, length in ((8189, 0, 800), (10, 1, 13), (10, 1, 0)):
            packets.append(IP(src=base.src, dst=base.dst, id=identification, frag=offset, flags=more, proto=17) /
                           Raw(bytes(length)))
    return packets


KINDS = {f.__name__: f for f in (unknown_spi, bad_icv, replayed, truncated, garbage_ike, endless_fragments,
                                 overlapping_fragments, impossible_fragments)}


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in KINDS:
        sys.exit(f"usage: forge.py {'|'.join(KINDS)} CAPTURE DEVICE MAC")
    kind, capture, device, mac = sys.argv[1:]
    random.seed(kind)
    packets = KINDS[kind](tunnel_packets(capture))
    ether = Ether(src=get_if_hwaddr(device), dst=mac)
    sendp([ether / IP(bytes(packet)) for packet in packets], iface=device, verbose=False)
    print(f"{kind}: {len(packets)} packets")


if __name__ == "__main__":
    main()
