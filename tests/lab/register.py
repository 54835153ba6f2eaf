#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
#   register.py GATEWAY PORT AUTHORITY KIND [USER PASSWORD]
#
# Speaks to a gateway's registration as a client does, or as strangers do: KIND is one of those below. What came back is
# one line on standard output: "refused CODE", "accepted ADDRESS" or "closed".
#
#   password      registers as USER, and confirms
#   noise         bytes that are no TLS
#   half          the beginning of a TLS handshake, then nothing
#   mute          a TLS handshake, then nothing
#   slow          a message of which one byte comes every now and then
#   oversized     a frame that says to be 16 MiB long
#   malformed     a frame that is no JSON
#   unknown       a message with a field too many
#   crowd         300 connections that say nothing, until standard input ends
import json
import socket
import ssl
import struct
import sys
import time

gateway, port, authority, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]

HELLO = {
    "type": "hello", "version": 1, "software": "register.py", "methods": ["password"], "transports": ["udp"],
    "dialed": {"address": gateway, "port": port}, "local": {"address": "0.0.0.0", "port": 1}, "udp_port": 4500,
}


def connect():
    return socket.create_connection((gateway, port), timeout=60)


def connect_tls():
    context = ssl.create_default_context(cafile=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["sluice/1"])
    return context.wrap_socket(connect(), server_hostname="hq.example")


def frame(text):
    return struct.pack(">I", len(text)) + text


def send(stream, message):
    stream.sendall(frame(json.dumps(message).encode()))


def read(stream, length):
    data = b""
    while len(data) < length:
        more = stream.recv(length - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def receive(stream):
    return json.loads(read(stream, struct.unpack(">I", read(stream, 4))[0]))


def answer(stream):
    try:
        message = receive(stream)
    except (EOFError, OSError):
        print("closed")
        return None
    if message["type"] == "refused":
        print("refused", message["code"])
    elif message["type"] == "accepted":
        print("accepted", message["virtual_address"]["address"])
    return message


def password():
    stream = connect_tls()
    send(stream, HELLO)
    if answer(stream)["type"] != "offer":
        return
    send(stream, {"type": "authenticate", "method": "password", "user": sys.argv[5], "password": sys.argv[6]})
    if answer(stream)["type"] == "accepted":
        send(stream, {"type": "start"})
        stream.unwrap()


def bare(data):
    stream = connect()
    stream.sendall(data)
    while True:
        try:
            if not stream.recv(4096):
                break
        except ConnectionResetError:
            break
    print("closed")


def within(data):
    stream = connect_tls()
    stream.sendall(data)
    answer(stream)


def slow():
    stream = connect_tls()
    stream.settimeout(0.3)
    for byte in frame(json.dumps(HELLO).encode()):
        try:
            stream.sendall(bytes([byte]))
            if stream.recv(1, ) == b"":
                break
        except (TimeoutError, ssl.SSLWantReadError):
            continue
        except OSError:
            break
        else:
            break
    print("closed")


def crowd():
    streams = [connect() for _ in range(300)]
    print("connected", len(streams), flush=True)
    sys.stdin.read()


{
    "password": password,
    "noise": lambda: bare(b"\x00\x01\x02\x03 this is no TLS at all\r\n" * 20),
    "half": lambda: bare(bytes([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])),
    "mute": lambda: answer(connect_tls()),
    "slow": slow,
    "oversized": lambda: within(struct.pack(">I", 16 << 20)),
    "malformed": lambda: within(frame(b"\xff{]")),
    "unknown": lambda: within(frame(json.dumps({**HELLO, "more": 1}).encode())),
    "crowd": crowd,
}[kind]()
