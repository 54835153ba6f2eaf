#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
The ESP of a peer whose charon negotiates with tests/lab/xfrm.c: AES-GCM (RFC 4106) in bare ESP, tunnel and transport
mode, IPv4 and IPv6, sequence numbers of 32 and 64 bits (RFC 4303), over python3-cryptography.

  esp_peer.py FILE TUN MTU

FILE is what xfrm.c writes. Packets that the kernel routes to the interface TUN, which this program makes, are encrypted;
what comes in as ESP is decrypted and appears there. A packet that cannot be opened or is outside its SA's policy is told
on standard output, and dropped.
"""
import fcntl
import ipaddress
import os
import selectors
import socket
import struct
import subprocess
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ESP, IPV4, IPV6 = 50, 4, 41
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
SALT_LEN, IV_LEN, ICV_LEN = 4, 8, 16


class Sa:
    def __init__(self, fields):
        self.spi = int(fields["spi"], 16)
        self.transport = fields["mode"] == "transport"
        self.extended = fields["esn"] == "1"
        self.source, self.destination = fields["source"], fields["destination"]
        key = bytes.fromhex(fields["key"])
        self.cipher, self.salt = AESGCM(key[:-SALT_LEN]), key[-SALT_LEN:]
        self.sequence = 0

    def authenticated(self, sequence):
        """Section 5 of RFC 4106. No story sends 2^32 packets: the upper half is always 0."""
        return struct.pack("!IQ" if self.extended else "!II", self.spi, sequence)

    def seal(self, payload, next_header):
        self.sequence += 1
        pad_len = -(len(payload) + 2) % 4
        plain = payload + bytes(range(1, pad_len + 1)) + bytes((pad_len, next_header))
        iv = struct.pack("!Q", self.sequence)
        return (struct.pack("!II", self.spi, self.sequence) + iv +
                self.cipher.encrypt(self.salt + iv, plain, self.authenticated(self.sequence)))

    def open(self, packet):
        sequence, iv = struct.unpack("!I", packet[4:8])[0], packet[8:8 + IV_LEN]
        plain = self.cipher.decrypt(self.salt + iv, packet[8 + IV_LEN:], self.authenticated(sequence))
        pad_len, next_header = plain[-2:]
        return plain[:len(plain) - 2 - pad_len], next_header


def addresses(packet):
    """Source and destination of an IP packet, and the length of an IPv4 header."""
    if packet[0] >> 4 == 4:
        return ipaddress.ip_address(packet[12:16]), ipaddress.ip_address(packet[16:20]), (packet[0] & 15) * 4
    return ipaddress.ip_address(packet[8:24]), ipaddress.ip_address(packet[24:40]), 40


def checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4_packet(source, destination, protocol, payload):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0,
                         source.packed, destination.packed)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


class Peer:
    def __init__(self, file):
        self.file, self.offset = file, 0
        self.inbound, self.outbound, self.policies = {}, {}, {}

    def take_up(self):
        """What charon has told since."""
        if not os.path.exists(self.file) or os.path.getsize(self.file) == self.offset:
            return
        with open(self.file) as file:
            file.seek(self.offset)
            lines = file.readlines()
            self.offset = file.tell()
        for line in lines:
            kind, *fields = line.split()
            fields = dict(field.split("=") for field in fields)
            if kind == "policy":
                networks = ipaddress.ip_network(fields["source"]), ipaddress.ip_network(fields["destination"])
                self.policies[fields["direction"], fields["reqid"]] = networks
            elif fields["direction"] == "in":
                self.inbound[int(fields["spi"], 16)] = (Sa(fields), fields["reqid"])
            else:
                self.outbound[fields["reqid"]] = Sa(fields)

    def allows(self, direction, reqid, source, destination):
        networks = self.policies.get((direction, reqid))
        return networks is not None and source in networks[0] and destination in networks[1]

    def encrypt(self, packet):
        """The outer destination and the ESP packet, or None."""
        source, destination, header_len = addresses(packet)
        for reqid, sa in self.outbound.items():
            if not self.allows("out", reqid, source, destination):
                continue
            if sa.transport:
                return sa.destination, sa.seal(packet[header_len:], packet[9])
            return sa.destination, sa.seal(packet, IPV4 if packet[0] >> 4 == 4 else IPV6)
        return None

    def decrypt(self, esp, source):
        """The inner packet, or None after a sentence."""
        spi = struct.unpack("!I", esp[:4])[0]
        sa, reqid = self.inbound.get(spi, (None, None))
        if sa is None:
            print(f"unknown SPI {spi:08x}", flush=True)
            return None
        try:
            payload, next_header = sa.open(esp)
        except InvalidTag:
            print(f"SPI {spi:08x}: an ICV that is wrong", flush=True)
            return None
        if sa.transport:
            payload = ipv4_packet(ipaddress.ip_address(source), ipaddress.ip_address(sa.destination), next_header, payload)
        if not self.allows("in", reqid, *addresses(payload)[:2]):
            print(f"SPI {spi:08x}: a packet outside its policy", flush=True)
            return None
        return payload


def tun_open(name, mtu):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", "dev", name, "mtu", mtu, "up"], check=True)
    return fd


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: esp_peer.py FILE TUN MTU")
    peer, tun = Peer(sys.argv[1]), tun_open(sys.argv[2], sys.argv[3])
    raw = {family: socket.socket(family, socket.SOCK_RAW, ESP) for family in (socket.AF_INET, socket.AF_INET6)}
    for family in raw:
        # Not into the tunnel: the lab's rules send packets with this mark the direct way.
        raw[family].setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x42)
        raw[family].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    ready = selectors.DefaultSelector()
    for thing in (tun, *raw.values()):
        ready.register(thing, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            peer.take_up()
            if key.fileobj == tun:
                sealed = peer.encrypt(os.read(tun, 65535))
                if sealed:
                    family = socket.AF_INET6 if ":" in sealed[0] else socket.AF_INET
                    raw[family].sendto(sealed[1], (sealed[0], 0))
                continue
            esp, address = key.fileobj.recvfrom(65535)
            if key.fileobj.family == socket.AF_INET:
                esp = esp[(esp[0] & 15) * 4:]
            packet = peer.decrypt(esp, address[0])
            if packet:
                os.write(tun, packet)


if __name__ == "__main__":
    main()
