#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""replay_stream.py ADDRESS PORT BYTES: sends what a peer began a stream with (RFC 9329) from a TCP connection of its own.

BYTES are hexadecimal digits. A frame follows them that can't be, so that the gateway ends the connection when it has read
all. Fails when anything is answered.
"""

import socket
import sys

NO_LENGTH = b"\0\0"


def main():
    address, port, digits = sys.argv[1:]
    recorded = bytes.fromhex(digits)
    answer = b""
    with socket.create_connection((address, int(port)), timeout=20) as stream:
        stream.sendall(recorded + NO_LENGTH)
        try:
            while data := stream.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
    print(f"{len(recorded)} bytes sent again, {len(answer)} bytes came back, and the end of the connection")
    sys.exit(1 if answer else 0)


main()
