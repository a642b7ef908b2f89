#!/usr/bin/env python3
# fast_open.py - one end of TCP Fast Open (RFC 7413), for fast_open_test.sh: on the kernel or, by
# `pollux run`, on the stack.
"""usage: fast_open.py serve PORT [plain] | connect ADDRESS PORT COUNT send|deferred|large"""
import socket
import sys

TCP_FASTOPEN_CONNECT = 30
OPT_SYN_DATA = 32
LARGE = 100000


def has_syn_text(one):
    return bool(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5] & OPT_SYN_DATA)


def receive(one, size):
    got = b""
    while len(got) < size:
        more = one.recv(size - len(got))
        if not more:
            break
        got += more
    return got


def serve(port, is_plain):
    """Answers each connection with its request turned round; says whose text came with the SYN."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    if not is_plain:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    listener.listen(16)
    print("listening", flush=True)
    while True:
        one, _ = listener.accept()
        size = int(receive(one, 8))
        text = receive(one, size)
        one.sendall(text[::-1])
        print("syn" if has_syn_text(one) else "late", flush=True)
        one.close()


def connect(address, port, how):
    one = socket.socket()
    one.settimeout(None)
    text = bytes(i % 251 for i in range(LARGE if how == "large" else 200))
    request = b"%08d" % len(text) + text
    if how == "deferred":
        one.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        one.connect((address, port))
        one.sendall(request)
    else:
        sent = one.sendto(request, socket.MSG_FASTOPEN, (address, port))
        if sent < len(request):
            one.sendall(request[sent:])
    assert receive(one, len(text)) == text[::-1], "the answer is wrong"
    print("syn" if has_syn_text(one) else "late", flush=True)
    one.close()


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]), "plain" in sys.argv[3:])
for _ in range(int(sys.argv[4])):
    connect(sys.argv[2], int(sys.argv[3]), sys.argv[5])
