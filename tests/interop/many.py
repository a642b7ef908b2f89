#!/usr/bin/env python3
# many.py - the kernel's side of many connections: all open at once, each with its own words.
"""usage: many.py connect|listen ADDRESS PORT CONNECTIONS"""
import selectors
import socket
import sys

ROUNDS, LINE = 10, 600


def connect(address, count):
    sockets = [socket.create_connection(address, timeout=30) for _ in range(count)]
    for turn in range(ROUNDS):
        lines = [bytes([97 + (turn + i) % 26]) * LINE for i in range(count)]
        for one, line in zip(sockets, lines):
            one.sendall(line)
        for i, (one, line) in enumerate(zip(sockets, lines)):
            got = b""
            while len(got) < LINE:
                more = one.recv(LINE - len(got))
                if not more:
                    sys.exit(f"connection {i} ended in turn {turn}")
                got += more
            if got != line:
                sys.exit(f"connection {i} has other octets in turn {turn}")
    for one in sockets:
        one.close()


def listen(address, count):
    listener = socket.create_server(address, backlog=256)
    print("listening", flush=True)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while count:
        for key, _ in selector.select(timeout=30):
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            text = key.fileobj.recv(65536)
            if text:
                key.fileobj.sendall(text)
                continue
            selector.unregister(key.fileobj)
            key.fileobj.close()
            count -= 1


def main():
    what, host, port, count = sys.argv[1:]
    {"connect": connect, "listen": listen}[what]((host, int(port)), int(count))


main()
