#!/usr/bin/env python3
# server.py - what runs on the card, unmodified sockets: HTTP with GET and PUT, echo of TCP and UDP.
"""usage: server.py ADDRESS FILE   (port 80: GET gives FILE, PUT answers with the text's SHA-256;
                                 port 7: echo)"""
import hashlib
import http.server
import select
import socket
import socketserver
import sys
import threading

CHUNK = 1 << 18


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    text = b""

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(self.text)

    def do_PUT(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left > 0 and (piece := self.rfile.read1(min(left, CHUNK))):
            digest.update(piece)
            left -= len(piece)
        self.answer(digest.hexdigest().encode())

    def log_message(self, *_):
        pass


class Web(http.server.ThreadingHTTPServer):
    def server_bind(self):
        """Without the question for its own name, which nobody here answers."""
        socketserver.TCPServer.server_bind(self)


class Echo:
    """Level-triggered, one thread; a connection with unsent text is not read from."""

    def __init__(self, address):
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(address)
        self.listener = socket.create_server(address, backlog=512)
        self.connections = {}
        self.unsent = {}
        self.epoll = select.epoll()
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
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[2], "rb") as file:
        Handler.text = file.read()
    web = Web((sys.argv[1], 80), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    echo = Echo((sys.argv[1], 7))
    print("listening", flush=True)
    echo.run()


if __name__ == "__main__":
    main()
