#!/usr/bin/env python3
# server.py - what runs on the card, unmodified sockets: HTTP with GET and PUT, echo of TCP and UDP.
"""usage: server.py ADDRESS FILE INTO   (port 80: GET gives FILE, PUT replaces INTO; port 7: echo)
GET of /counters gives what Pollux counts; of /connect/ADDRESS/PORT it makes connections to an echo.
It imports little: under an emulated processor http.server takes three seconds."""
import select
import socket
import sys

CHUNK = 1 << 18
THREADS = 4  # each makes its connections in the next of the stacks
CONNECTIONS = 25  # of each thread


def counters():
    import ctypes
    import os
    lines = []
    visit = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p,
                             ctypes.c_uint64)
    library = ctypes.CDLL(os.environ["POLLUX_LIBRARY"])
    library.plx_counters(visit(lambda _, name, __, value: lines.append(b"%s %d\n" % (name, value))),
                         None)
    return b"".join(lines)


def exchange(address, number):
    """Connections that are all open at once, with an echo on each; how many of them it came on."""
    text = number.to_bytes(4, "big") * 1024
    held = [socket.create_connection(address, timeout=30) for _ in range(CONNECTIONS)]
    for one in held:
        one.sendall(text)
    right = 0
    for one in held:
        back = b""
        while len(back) < len(text) and (piece := one.recv(CHUNK)):
            back += piece
        right += back == text
        one.close()
    return right


def connect(address):
    import threading
    right = [0] * THREADS

    def work(number):
        right[number] = exchange(address, number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return b"%d of %d\n" % (sum(right), THREADS * CONNECTIONS)


class Web:
    """One request to a connection, one connection at a time."""

    def __init__(self, address, path, into):
        with open(path, "rb") as file:
            self.text = file.read()
        self.into = into
        self.listener = socket.create_server(address)

    def serve(self):
        with self.listener.accept()[0] as one, one.makefile("rb") as request:
            method, path = request.readline().split()[:2]
            fields = {}
            while (line := request.readline().strip()):
                name, value = line.split(b":", 1)
                fields[name.lower()] = value.strip()
            if method == b"PUT":
                if b"expect" in fields:
                    one.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.receive(request, int(fields[b"content-length"]))
            text = self.page(path.decode()) if method == b"GET" else b""
            one.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                        % len(text) + text)

    def page(self, path):
        _, name, *words = path.split("/")
        if name == "counters":
            return counters()
        if name == "connect":
            return connect((words[0], int(words[1])))
        return self.text

    def receive(self, request, left):
        with open(self.into, "wb") as file:
            while left > 0 and (piece := request.read1(min(left, CHUNK))):
                file.write(piece)
                left -= len(piece)


class Echo:
    """A connection with unsent text is not read from."""

    def __init__(self, address, web):
        self.web = web
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(address)
        self.listener = socket.create_server(address, backlog=512)
        self.connections = {}
        self.unsent = {}
        self.epoll = select.epoll()
        self.epoll.register(web.listener, select.EPOLLIN)
        for one in (self.datagrams, self.listener):
            one.setblocking(False)
            self.epoll.register(one, select.EPOLLIN)

    def run(self):
        while True:
            for number, _ in self.epoll.poll():
                if number == self.datagrams.fileno():
                    text, sender = self.datagrams.recvfrom(65536)
                    self.datagrams.sendto(text, sender)
                elif number == self.listener.fileno():
                    self.accept()
                elif number == self.web.listener.fileno():
                    self.web.serve()
                else:
                    self.move(number)

    def accept(self):
        one, _ = self.listener.accept()
        one.setblocking(False)
        self.connections[one.fileno()] = one
        self.epoll.register(one, select.EPOLLIN)

    def move(self, number):
        one = self.connections[number]
        try:
            text = self.unsent.pop(number, b"") or one.recv(CHUNK)
            if text:
                rest = text[one.send(text):]
                if rest:
                    self.unsent[number] = rest
                self.epoll.modify(one, select.EPOLLOUT if rest else select.EPOLLIN)
                return
        except BlockingIOError:
            return
        except ConnectionError:
            pass
        self.epoll.unregister(one)
        del self.connections[number]
        one.close()


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    address, path, into = sys.argv[1:]
    echo = Echo((address, 7), Web((address, 80), path, into))
    print("listening", flush=True)
    echo.run()


if __name__ == "__main__":
    main()
