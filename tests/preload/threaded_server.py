#!/usr/bin/env python3
# threaded_server.py - a threaded socketserver, ten threads of clients, and datagrams.
import socket
import socketserver
import threading


class Upper(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class DatagramEcho(socketserver.BaseRequestHandler):
    def handle(self):
        data, answers = self.request
        answers.sendto(data, self.client_address)


failures = []


def client(server, number):
    with socket.create_connection(server.server_address) as connection:
        file = connection.makefile("rwb", buffering=0)
        for i in range(50):
            file.write(b"line %d of %d\n" % (i, number))
            if file.readline() != b"LINE %d OF %d\n" % (i, number):
                failures.append((number, i))


with Server(("127.0.0.1", 0), Upper) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    clients = [threading.Thread(target=client, args=(server, n)) for n in range(10)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    server.shutdown()
assert not failures, failures

with socketserver.UDPServer(("127.0.0.1", 0), DatagramEcho) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.sendto(b"anybody?", server.server_address)
        assert asking.recvfrom(100) == (b"anybody?", server.server_address)
    server.shutdown()
print("1 passed, 0 failed, 0 skipped")
