#!/usr/bin/env python3
# peer.py - the kernel's end of a transfer, of an echo and of a scan, with plain blocking sockets.
"""usage: peer.py connect|listen ADDRESS PORT send|receive FILE
       peer.py echo ADDRESS PORT OCTETS [CONNECTIONS]   (sends, reads back, compares)
       peer.py udp ADDRESS PORT                         (one datagram and its echo)
       peer.py closed ADDRESS FIRST LAST                (connects; all must be refused)"""
import os
import random
import socket
import sys
import threading

CHUNK = 60_013


def open_connection(role, address):
    if role == "connect":
        return socket.create_connection(address, timeout=30)
    server = socket.create_server(address, reuse_port=True)
    server.settimeout(60)
    print("listening", flush=True)
    connection = server.accept()[0]
    connection.settimeout(30)
    return connection


def transfer(role, address, way, path):
    with open_connection(role, address) as connection:
        if way == "send":
            with open(path, "rb") as file:
                connection.sendfile(file)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b"", "text where a FIN was due"
        else:
            with open(path, "wb") as file:
                while text := connection.recv(CHUNK):
                    file.write(text)


def echo_once(address, octets, seed):
    """Sends random text and compares what comes back; writer and reader are two threads."""
    text = random.Random(seed).randbytes(octets)
    with socket.create_connection(address, timeout=30) as connection:
        def write():
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        back = bytearray()
        while piece := connection.recv(CHUNK):
            back += piece
        writer.join(30)
    assert back == text, f"{len(back)} octets came back of {octets}, or not the same"


def echo_many(address, octets, connections):
    sockets = [socket.create_connection(address, timeout=30) for _ in range(connections)]
    for number, one in enumerate(sockets):
        one.sendall(number.to_bytes(4, "big") * (octets // 4))
    for number, one in enumerate(sockets):
        want, back = number.to_bytes(4, "big") * (octets // 4), b""
        while len(back) < len(want) and (piece := one.recv(CHUNK)):
            back += piece
        assert back == want, f"connection {number}: {len(back)} octets, wrong"
        one.close()


def udp(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(5)
        one.connect(address)
        for size in (0, 1, 1472):
            text = os.urandom(size)
            one.send(text)
            assert one.recv(65536) == text, f"a datagram of {size} octets came back wrong"


def closed(host, first, last):
    for port in range(first, last + 1):
        with socket.socket() as one:
            one.settimeout(2)
            error = one.connect_ex((host, port))
            assert error == 111, f"port {port}: {os.strerror(error)}, not refused"


def main():
    arguments = sys.argv[1:]
    if len(arguments) < 3:
        sys.exit(__doc__)
    address = (arguments[1], int(arguments[2]))
    if arguments[0] == "echo" and len(arguments) == 5:
        echo_many(address, int(arguments[3]), int(arguments[4]))
    elif arguments[0] == "echo":
        echo_once(address, int(arguments[3]), 1)
    elif arguments[0] == "udp":
        udp(address)
    elif arguments[0] == "closed":
        closed(arguments[1], int(arguments[2]), int(arguments[3]))
    else:
        transfer(arguments[0], address, arguments[3], arguments[4])


if __name__ == "__main__":
    main()
