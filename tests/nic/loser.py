#!/usr/bin/env python3
# loser.py - a program whose card is taken away while threads of it wait: prints what each hears.
"""usage: loser.py ADDRESS PEER   (port 7: waits for two connections, then for the loss)"""
import errno
import select
import socket
import sys
import threading

ECHO = 7


def heard(call, *given):
    """What a call that is to fail says."""
    try:
        return f"came back with {call(*given)!r}"
    except OSError as error:
        return errno.errorcode[error.errno]


def error_of(one):
    return errno.errorcode.get(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "none")


def watch(one):
    with select.epoll() as epoll:
        epoll.register(one, select.EPOLLIN | select.EPOLLET)
        events = epoll.poll()[0][1]
    names = "EPOLLERR", "EPOLLHUP", "EPOLLIN"
    return "|".join(name for name in names if events & getattr(select, name))


class Waiting:
    """Threads in calls that block; each notes one line."""

    def __init__(self):
        self.lines = {}
        self.threads = []

    def start(self, name, call, *given):
        def run():
            self.lines[name] = call(*given)

        self.threads.append(threading.Thread(target=run, name=name))
        self.threads[-1].start()

    def end(self):
        for thread in self.threads:
            thread.join()
        for thread in self.threads:
            print(f"{thread.name}: {self.lines[thread.name]}")


def turn_around(address):
    """A connection from the stack to itself."""
    with socket.create_server((address, 8)) as listener, \
            socket.create_connection((address, 8)) as client, listener.accept()[0] as server:
        client.sendall(b"round")
        return server.recv(100).decode()


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    address, peer = sys.argv[1:]
    listener = socket.create_server(("", ECHO))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((address, ECHO))
    datagrams.sendto(b"first", (peer, ECHO))  # the stack starts with it, not with the listen
    print("listening", flush=True)
    held = [listener.accept()[0] for _ in range(2)]
    waiting = Waiting()
    waiting.start("recv", heard, held[0].recv, 100)
    waiting.start("epoll", watch, held[1])
    waiting.start("accept", heard, listener.accept)
    waiting.start("recv of UDP", heard, datagrams.recv, 100)
    print("waiting", flush=True)
    waiting.end()
    print(f"SO_ERROR: {error_of(held[1])}")
    print(f"recv again: {heard(held[0].recv, 100)}")
    print(f"connect: {heard(socket.create_connection, (peer, 9))}")
    print(f"sendto: {heard(datagrams.sendto, b'x', (peer, 9))}")
    print(f"to itself: {turn_around(address)}", flush=True)


if __name__ == "__main__":
    main()
