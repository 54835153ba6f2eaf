#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
ESP packets from a second implementation: scapy (tunnel mode) over python3-cryptography. Its output is stored as
esp_scapy.txt and opened by the unit tests; keys and IVs derive from names, so every run writes the same file.
A line: suite, key material, sequence number, next header, payload (the inner IPv4 packet), ESP packet. Numbers with 16
digits are extended ones, which scapy has for combined modes alone. Usage:

    tests/vectors/esp_scapy.py > tests/vectors/esp_scapy.txt
"""
import hashlib
import itertools

from scapy.config import conf
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.packet import Raw

HASHES = [("sha1", 20, "HMAC-SHA1-96"), ("sha256", 32, "SHA2-256-128"), ("sha384", 48, "SHA2-384-192"),
          ("sha512", 64, "SHA2-512-256")]
# name, bytes of key and salt together, of IV, of the integrity key; scapy's names
SUITES = [(f"aes{bits}gcm", bits // 8 + 4, 8, 0, "AES-GCM", "NULL") for bits in (128, 192, 256)]
SUITES += [("chacha20poly1305", 36, 8, 0, "CHACHA20-POLY1305", "NULL")]
SUITES += [(f"aes{bits}-{name}", bits // 8, 16, auth_len, "AES-CBC", auth)
           for name, auth_len, auth in HASHES for bits in (128, 192, 256)]
SUITES += [(f"aes{bits}ctr-{name}", bits // 8 + 4, 8, auth_len, "AES-CTR", auth)
           for name, auth_len, auth in HASHES for bits in (128, 192, 256)]
SUITES += [(f"null-{name}", 0, 0, auth_len, "NULL", auth) for name, auth_len, auth in HASHES]
IP_IN_IP = 4
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
    print("# suite keymat number next_header payload esp; written by esp_scapy.py")
    for index, (name, key_len, iv_len, auth_len, crypt, auth) in enumerate(SUITES):
        key = derive(name + " key", key_len)
        auth_key = derive(name + " auth", auth_len)
        spi = 0x80000101 + index
        sa = SecurityAssociation(
            ESP, spi=spi, crypt_algo=crypt, crypt_key=key or None, auth_algo=auth, auth_key=auth_key or None,
            tunnel_header=IP(src="192.0.2.1", dst="192.0.2.2"))
        high_halves = [0] if auth_len else [0, 0x1A2B3C4D]
        for high, (sequence, length) in itertools.product(high_halves, enumerate(LENGTHS, start=1)):
            payload = IP(bytes(inner_packet(length)))
            iv = derive(f"{name} iv {high << 32 | sequence}", iv_len)
            esp = bytes(sa.encrypt(payload, seq_num=sequence, iv=iv, esn_en=high > 0, esn=high)[ESP])
            number = f"{high:08x}{sequence:08x}" if high else f"{sequence:08x}"
            print(name, (key + auth_key).hex(), number, IP_IN_IP, bytes(payload).hex(), esp.hex())


if __name__ == "__main__":
    main()
