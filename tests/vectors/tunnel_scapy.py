#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Whole packets of IPsec tunnels from a second implementation: scapy over python3-cryptography. For every suite there are
eight SAs, which share its keys: IPv4 and IPv6 outside, IPv4 and IPv6 inside, bare and in UDP. The addresses are those of the unit tests'
world (tests/unit/dataplane/harness.h and peer.h). Its output is stored as tunnel_scapy.txt and goes through the packet
path in tests/unit/dataplane/scapy_test.c; keys and IVs derive from names, so every run writes the same file. Lines:

    lan NUMBER to_hq|from_hq PACKET                the inner packet of each SA with that number, on HQ's LAN
    suite NAME KEYMAT_TO_HQ KEYMAT_FROM_HQ         what follows is of that suite
    sa OUTER INNER bare|udp short|extended SPI_TO_HQ SPI_FROM_HQ
    to_hq|from_hq SEQUENCE PACKET                  of that SA: the outer packet with the inner one in it

To HQ, a router on the way has marked congestion, and the inner packet arrives marked (RFC 6040 section 4.2). From HQ,
the outer header has DSCP, ECN and DF of the inner one, and IVs are made of the numbers as HQ makes them: the number
itself, for CBC encrypted as one block (NIST SP 800-38A appendix C). scapy knows the high half of extended numbers in
combined modes alone: for the others, the HMAC over it is Python's own. Usage:

    tests/vectors/tunnel_scapy.py > tests/vectors/tunnel_scapy.txt
"""
import hashlib
import hmac
import itertools

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from scapy.config import conf
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.packet import Raw

from esp_scapy import SUITES, derive

HQ, PEER = {4: "192.0.2.1", 6: "2001:db8:1::1"}, {4: "198.51.100.{}", 6: "2001:db8:100::{:x}"}
LAN_HOST, PEER_HOST = {4: "10.1.0.20", 6: "fd01::20"}, {4: "10.{}.0.5", 6: "fd02:{:x}::5"}
HQ_PORT, PEER_PORT = 4500, 61234
SPI_TO_HQ, SPI_FROM_HQ = 0x92300000, 0x1001  # plus the SA's number, which is its slot in HQ's tables
EXPEDITED_CAPABLE, EXPEDITED_CONGESTED = 0xBA, 0xBB  # DSCP 46 with ECT(0), with CE
NUMBERS = {"short": [1], "extended": [0xFFFFFFFF, 0x100000000]}
ICV_LEN = {"HMAC-SHA1-96": ("sha1", 12), "SHA2-256-128": ("sha256", 16), "SHA2-384-192": ("sha384", 24),
           "SHA2-512-256": ("sha512", 32)}
DIRECTIONS = ("to_hq", "from_hq")
# outer family, inner family, encapsulation, sequence numbers: every choice of the first three, half of them extended
SAS = [choice + ("extended" if number.bit_count() % 2 else "short",)
       for number, choice in enumerate(itertools.product((4, 6), (4, 6), ("bare", "udp")))]


def ip(family, source, destination, tos, ttl=64):
    if family == 4:
        return IP(src=source, dst=destination, tos=tos, ttl=ttl, flags="DF")
    return IPv6(src=source, dst=destination, tc=tos, hlim=ttl)


def inner_packet(family, direction, number, ttl, tos):
    hosts = PEER_HOST[family].format((100 if family == 4 else 0) + number), LAN_HOST[family]
    source, destination = hosts if direction == "to_hq" else hosts[::-1]
    data = Raw(direction.encode() + bytes(range(number)))
    return bytes(ip(family, source, destination, tos, ttl) / UDP(sport=7, dport=9) / data)


def on_lan(family, direction, number):
    """From there it comes as it was sent; there it leaves one hop further and marked."""
    if direction == "from_hq":
        return inner_packet(family, direction, number, 64, EXPEDITED_CAPABLE)
    return inner_packet(family, direction, number, 63, EXPEDITED_CONGESTED)


def in_tunnel(family, direction, number):
    return inner_packet(family, direction, number, 63 if direction == "from_hq" else 64, EXPEDITED_CAPABLE)


def outer_header(family, direction, number):
    ends = PEER[family].format(number), HQ[family]
    source, destination = ends if direction == "to_hq" else ends[::-1]
    return ip(family, source, destination, EXPEDITED_CONGESTED if direction == "to_hq" else EXPEDITED_CAPABLE)


def udp_header(direction):
    ports = PEER_PORT, HQ_PORT
    source, destination = ports if direction == "to_hq" else ports[::-1]
    return UDP(sport=source, dport=destination)


def make_iv(suite, direction, key, sequence):
    name, _, iv_len, _, crypt, _ = suite
    if direction == "to_hq":
        return derive(f"{name} iv {sequence}", iv_len)
    iv = sequence.to_bytes(8, "big").ljust(iv_len, b"\0")[:iv_len]
    if crypt != "AES-CBC":
        return iv
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return block.update(iv) + block.finalize()


def protect(suite, sa, direction, sequence):
    """The outer packet as bytes. `sa`: one of SAS with its number, counted from 0."""
    number, (outer, inner, encapsulation, numbers) = sa
    payload = in_tunnel(inner, direction, number + 1)
    name, key_len, _, auth_len, crypt, auth = suite
    key, auth_key = derive(f"{name} key {direction}", key_len), derive(f"{name} auth {direction}", auth_len)
    high = sequence >> 32
    own_hmac = numbers == "extended" and auth_len > 0
    association = SecurityAssociation(
        ESP, spi=(SPI_TO_HQ if direction == "to_hq" else SPI_FROM_HQ) + number, seq_num=sequence & 0xFFFFFFFF,
        crypt_algo=crypt, crypt_key=key or None, auth_algo="NULL" if own_hmac else auth, auth_key=None if own_hmac else auth_key or None,
        tunnel_header=outer_header(outer, direction, number + 1),
        nat_t_header=udp_header(direction) if encapsulation == "udp" else None)
    packet = association.encrypt((IP if inner == 4 else IPv6)(payload), iv=make_iv(suite, direction, key, sequence),
                                 esn_en=numbers == "extended", esn=high)
    if own_hmac:
        digest, icv_len = ICV_LEN[auth]
        packet[ESP].data += hmac.digest(auth_key, bytes(packet[ESP]) + high.to_bytes(4, "big"), digest)[:icv_len]
    if outer == 4:
        del packet.len, packet.chksum
    else:
        del packet.plen
    if encapsulation == "udp":
        del packet[UDP].len
        if outer == 6:
            del packet[UDP].chksum  # RFC 3948 wants zero, IPv6 a checksum (RFC 8200 section 8.1)
    return bytes(packet)


def keymat(suite, direction):
    name, key_len, _, auth_len, _, _ = suite
    return (derive(f"{name} key {direction}", key_len) + derive(f"{name} auth {direction}", auth_len)).hex()


def main():
    conf.verb = 0
    print("# SPDX-License-Identifier: Apache-2.0")
    print("# written by tunnel_scapy.py, which describes it")
    for (number, (_, inner, _, _)), direction in itertools.product(enumerate(SAS), DIRECTIONS):
        print("lan", number, direction, on_lan(inner, direction, number + 1).hex())
    for suite in SUITES:
        print("suite", suite[0], *(keymat(suite, direction) for direction in DIRECTIONS))
        for number, sa in enumerate(SAS):
            print("sa", *sa, f"{SPI_TO_HQ + number:08x} {SPI_FROM_HQ + number:08x}")
            for direction, sequence in itertools.product(DIRECTIONS, NUMBERS[sa[3]]):
                print(direction, sequence, protect(suite, (number, sa), direction, sequence).hex())


if __name__ == "__main__":
    main()
