#!/usr/bin/env python3
# servers.py - python's own servers and clients of echo, for the interop tests to run on Pollux.
"""usage: servers.py streams PORT              (asyncio's streams)
       servers.py threads PORT              (socketserver, a thread for each connection)
       servers.py client ADDRESS PORT COUNT (asyncio's streams, COUNT connections at once)"""
import asyncio
import os
import socketserver
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../preload"))
from asyncio_echo import ask, echo  # noqa: E402


async def serve_streams(port):
    server = await asyncio.start_server(echo, None, port)
    await server.serve_forever()


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Threads(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


async def ask_at_once(address, port, count):
    await asyncio.gather(*[ask(address, port) for _ in range(count)])


def main():
    kind, *rest = sys.argv[1:]
    if kind == "streams":
        asyncio.run(serve_streams(int(rest[0])))
    elif kind == "threads":
        Threads(("", int(rest[0])), Echo).serve_forever()
    else:
        asyncio.run(ask_at_once(rest[0], int(rest[1]), int(rest[2])))


if __name__ == "__main__":
    main()
