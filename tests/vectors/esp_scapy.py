#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
ESP packets from a second implementation: scapy (tunnel mode) over python3-cryptography. Its output is stored as
esp_scapy.txt and opened by the unit tests; keys and IVs derive from names, so every run writes the same file.
A line: suite, key material, SPI, sequence number, payload (the inner IPv4 packet), ESP packet. Usage:

    tests/vectors/esp_scapy.py > tests/vectors/esp_scapy.txt
"""
import hashlib

from scapy.config import conf
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.packet import Raw

# name, bytes of key and salt together, of IV, of the integrity key; scapy's names
SUITES = [
    ("aes128gcm", 20, 8, 0, "AES-GCM", "NULL"),
    ("aes256gcm", 36, 8, 0, "AES-GCM", "NULL"),
    ("aes128-sha1", 16, 16, 20, "AES-CBC", "HMAC-SHA1-96"),
    ("aes256-sha1", 32, 16, 20, "AES-CBC", "HMAC-SHA1-96"),
    ("aes128-sha256", 16, 16, 32, "AES-CBC", "SHA2-256-128"),
    ("aes256-sha256", 32, 16, 32, "AES-CBC", "SHA2-256-128"),
]
LENGTHS = [0, 1, 2, 15, 16, 17, 100, 1372]


def derive(label, length):
    return hashlib.shake_256(label.encode()).digest(length)


def inner_packet(length):
    header = IP(src="10.1.0.2", dst="10.2.0.3", id=length, ttl=64)
    data = Raw(bytes(i & 0xFF for i in range(length)))
    if length % 2:
        return header / UDP(sport=4000, dport=4001) / data
    return header / ICMP(id=7, seq=length) / data


def main():
    conf.verb = 0
    print("# SPDX-License-Identifier: Apache-2.0")
    print("# suite keymat spi sequence payload esp; written by esp_scapy.py")
    for index, (name, key_len, iv_len, auth_len, crypt, auth) in enumerate(SUITES):
        key = derive(name + " key", key_len)
        auth_key = derive(name + " auth", auth_len)
        spi = 0x80000101 + index
        sa = SecurityAssociation(
            ESP, spi=spi, crypt_algo=crypt, crypt_key=key, auth_algo=auth, auth_key=auth_key or None,
            tunnel_header=IP(src="192.0.2.1", dst="192.0.2.2"))
        for sequence, length in enumerate(LENGTHS, start=1):
            payload = IP(bytes(inner_packet(length)))
            iv = derive(f"{name} iv {sequence}", iv_len)
            esp = bytes(sa.encrypt(payload, seq_num=sequence, iv=iv)[ESP])
            print(name, (key + auth_key).hex(), f"{spi:08x}", sequence, bytes(payload).hex(), esp.hex())


if __name__ == "__main__":
    main()
