#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Key derivation of IKEv1 with pre-shared keys and with signatures, written from RFC 2409 (sections 5, 5.5, appendix B)
and RFC 4754 (section 4: what ECDSA signs) alone with the standard library's hashes. Prints ikev1_keymat.txt: one value a line, "name hex", a blank line behind each case."""
import hashlib
import hmac

CASES = [("md5", 24, 8), ("sha1", 32, 16), ("sha256", 16, 16), ("sha384", 32, 16), ("sha512", 32, 16)]


def filler(name, case, length):
    return hashlib.shake_256(f"{name} {case}".encode()).digest(length)


def prf(name, key, *parts):
    return hmac.new(key, b"".join(parts), name).digest()


def expand(name, key, length):
    block, out = b"\0", b""
    while len(out) < length:
        block = prf(name, key, block)
        out += block
    return out[:length]


def child_keymat(name, skeyid_d, length, *parts):
    block, out = b"", b""
    while len(out) < length:
        block = prf(name, skeyid_d, block, *parts)
        out += block
    return out[:length]


for hash_name, key_len, block_len in CASES:
    v = {}
    for field, length in [("psk", 20), ("cookie_i", 8), ("cookie_r", 8), ("ke_i", 64), ("ke_r", 64), ("secret", 32),
                          ("nonce_i", 32), ("nonce_r", 16), ("sa_i", 52), ("id_i", 16), ("id_r", 8), ("rest", 77)]:
        v[field] = filler(field, hash_name, length)
    cookies = v["cookie_i"] + v["cookie_r"]
    skeyid = prf(hash_name, v["psk"], v["nonce_i"], v["nonce_r"])
    d = prf(hash_name, skeyid, v["secret"], cookies, b"\0")
    a = prf(hash_name, skeyid, d, v["secret"], cookies, b"\1")
    e = prf(hash_name, skeyid, a, v["secret"], cookies, b"\2")
    v["skeyid"], v["skeyid_d"], v["skeyid_a"], v["skeyid_e"] = skeyid, d, a, e
    v["key"] = e[:key_len] if key_len <= len(e) else expand(hash_name, e, key_len)
    v["hash_i"] = prf(hash_name, skeyid, v["ke_i"], v["ke_r"], v["cookie_i"], v["cookie_r"], v["sa_i"], v["id_i"])
    v["hash_r"] = prf(hash_name, skeyid, v["ke_r"], v["ke_i"], v["cookie_r"], v["cookie_i"], v["sa_i"], v["id_r"])
    v["iv_1"] = hashlib.new(hash_name, v["ke_i"] + v["ke_r"]).digest()[:block_len]
    message_id = bytes.fromhex("0badcafe")
    v["iv_2"] = hashlib.new(hash_name, v["iv_1"] + message_id).digest()[:block_len]
    v["hash_1"] = prf(hash_name, a, message_id, v["rest"])
    v["hash_2"] = prf(hash_name, a, message_id, v["nonce_i"], v["rest"])
    v["hash_3"] = prf(hash_name, a, b"\0", message_id, v["nonce_i"], v["nonce_r"])
    spi = bytes.fromhex("80001234")
    v["child"] = child_keymat(hash_name, d, 68, b"\3", spi, v["nonce_i"], v["nonce_r"])
    v["child_pfs"] = child_keymat(hash_name, d, 68, v["secret"], b"\3", spi, v["nonce_i"], v["nonce_r"])
    # Signatures: SKEYID comes of the nonces and g^xy.
    signed = prf(hash_name, v["nonce_i"] + v["nonce_r"], v["secret"])
    v["sig_skeyid"] = signed
    v["sig_skeyid_d"] = prf(hash_name, signed, v["secret"], cookies, b"\0")
    for field, proof_hash in [("rsa_hash_i", hash_name), ("ecdsa256_hash_i", "sha256"), ("ecdsa384_hash_i", "sha384"),
                              ("ecdsa521_hash_i", "sha512")]:
        v[field] = prf(proof_hash, signed, v["ke_i"], v["ke_r"], v["cookie_i"], v["cookie_r"], v["sa_i"], v["id_i"])
    print("hash", hash_name)
    for field, value in v.items():
        print(field, value.hex())
    print()
