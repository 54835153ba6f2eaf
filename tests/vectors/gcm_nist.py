#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes gcm_nist.txt: a part of NIST's CAVP vectors for GCM (gcmtestvectors.zip), as Debian's package
python3-cryptography-vectors carries them; argument 1 is their directory there:

    python3 gcm_nist.py /usr/lib/python3/dist-packages/cryptography_vectors/ciphers/AES/GCM > gcm_nist.txt

Of each length of key, text (0 to 51 bytes) and associated data (0 to 90 bytes) with a nonce of 96 bits and a tag of 128,
these are the first three encryptions, the first two decryptions that succeed, and the first one that fails.
"""
import pathlib
import sys

WANTED = {"encryption": 3, "decryption": 2, "forgery": 1}


def vectors(path):
    group, vector = {}, {}
    for line in path.read_text().splitlines() + [""]:
        line = line.strip()
        if line.startswith("["):
            name, value = line.strip("[]").split(" = ")
            group[name] = int(value)
        elif line == "FAIL":
            vector["PT"] = "FAIL"
        elif " =" in line:
            name, value = (part.strip() for part in line.split("=", 1))
            vector[name] = value
        elif "Tag" in vector:
            yield dict(group), vector
            vector = {}


def main():
    directory = pathlib.Path(sys.argv[1])
    print("# SPDX-License-Identifier: Apache-2.0")
    print("# suite key nonce aad text ciphertext icv, - for nothing; NIST CAVP, chosen by gcm_nist.py")
    for bits in (128, 192, 256):
        seen = {}
        for kind, name in ("encryption", "gcmEncryptExtIV"), ("decryption", "gcmDecrypt"):
            for group, vector in vectors(directory / f"{name}{bits}.rsp"):
                if group["IVlen"] != 96 or group["Taglen"] != 128:
                    continue
                which = "forgery" if vector["PT"] == "FAIL" else kind
                case = which, group["PTlen"], group["AADlen"]
                seen[case] = seen.get(case, 0) + 1
                if seen[case] > WANTED[which]:
                    continue
                fields = [vector[f] or "-" for f in ("Key", "IV", "AAD", "PT", "CT", "Tag")]
                print(f"aes{bits}gcm", *fields)


main()
