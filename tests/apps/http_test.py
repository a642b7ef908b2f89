#!/usr/bin/env python3
# http_test.py - what a web client may and may not get from apps/http; run against a server.
"""usage: http_test.py HOST PORT ROOT   (makes its files in ROOT, which the server must serve)"""
import hashlib
import os
import random
import socket
import sys
import unittest

HOST, PORT, ROOT = "", 0, ""


def connect():
    return socket.create_connection((HOST, PORT), timeout=10)


def read_answer(stream, method="GET"):
    """(status, headers, body) of the next answer on a buffered stream."""
    status_line = stream.readline().decode()
    assert status_line.startswith("HTTP/1.1 "), status_line
    headers = {}
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers["content-length"])
    body = b"" if method == "HEAD" else stream.read(length)
    assert method == "HEAD" or len(body) == length
    return int(status_line.split()[1]), headers, body


def ask(text, method="GET"):
    with connect() as peer, peer.makefile("rb") as stream:
        peer.sendall(text.encode("latin-1"))
        return read_answer(stream, method)


def get(target, method="GET"):
    return ask(f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n", method)


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.makedirs(os.path.join(ROOT, "sub"), exist_ok=True)
        cls.big = random.Random(1).randbytes(3_000_000)
        files = {"index.html": b"<h1>front</h1>\n", "big.bin": cls.big, "empty.txt": b"",
                 "sub/index.html": b"below\n", "a b.txt": b"space\n"}
        for name, octets in files.items():
            with open(os.path.join(ROOT, name), "wb") as out:
                out.write(octets)

    def test_get_of_a_file_has_its_length_and_type(self):
        status, headers, body = get("/index.html")
        self.assertEqual((status, body), (200, b"<h1>front</h1>\n"))
        self.assertEqual(headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual(get("/big.bin")[1]["content-type"], "application/octet-stream")

    def test_directories_have_an_index_or_a_redirect(self):
        self.assertEqual(get("/")[2], b"<h1>front</h1>\n")
        self.assertEqual(get("/sub/?x=1")[2], b"below\n")
        status, headers, _ = get("/sub")
        self.assertEqual((status, headers["location"]), (301, "/sub/"))

    def test_head_has_the_headers_of_get_and_no_body(self):
        with connect() as peer, peer.makefile("rb") as stream:
            peer.sendall(b"HEAD /big.bin HTTP/1.1\r\nHost: a\r\n\r\n"
                         b"GET /empty.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            status, headers, _ = read_answer(stream, "HEAD")
            self.assertEqual((status, headers["content-length"]), (200, "3000000"))
            self.assertEqual(read_answer(stream)[::2], (200, b""))
            self.assertEqual(stream.read(), b"")

    def test_percent_encoding_is_decoded(self):
        self.assertEqual(get("/a%20b.txt")[2], b"space\n")
        for target in ("/%", "/%2", "/%zz", "/%00"):
            self.assertEqual(get(target)[0], 400, target)

    def test_paths_out_of_the_root_are_refused(self):
        for target in ("/../x", "/..", "/sub/../../x", "/%2e%2e/etc/passwd", "/..%2fetc%2fpasswd",
                       "//../etc/passwd", "etc/passwd"):
            self.assertEqual(get(target)[0], 400, target)
        self.assertEqual(get("//etc/passwd")[0], 404)
        self.assertEqual(get("/...")[0], 404)

    def test_what_is_not_there_and_what_is_not_allowed(self):
        self.assertEqual(get("/missing")[0], 404)
        status, headers, _ = get("/index.html", "DELETE")
        self.assertEqual((status, headers["allow"]), (405, "GET, HEAD"))

    def test_malformed_requests_are_answered_and_closed(self):
        for text in ("nonsense\r\n\r\n", "GET / HTTP/2.7\r\n\r\n",
                     "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
                     "GET / HTTP/1.1\r\nHost: a\r\nno\r\n\r\n",
                     "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
                     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
            status, headers, _ = ask(text)
            self.assertEqual((status, headers["connection"]), (400, "close"), text)

    def test_an_endless_head_is_answered_431(self):
        self.assertEqual(ask("GET / HTTP/1.1\r\nX: " + "a" * 20000)[0], 431)

    def test_keep_alive_follows_the_version_and_the_header(self):
        host = "Host: a\r\n"
        for version, header, kept in (("1.1", "", True), ("1.0", "", False),
                                      ("1.1", "Connection: close\r\n", False),
                                      ("1.0", "Connection: keep-alive\r\n", True)):
            with connect() as peer, peer.makefile("rb") as stream:
                peer.sendall(f"GET / HTTP/{version}\r\n{host}{header}\r\n".encode())
                headers = read_answer(stream)[1]
                self.assertEqual(headers["connection"], "keep-alive" if kept else "close")
                if not kept:
                    self.assertEqual(stream.read(), b"")
                    continue
                peer.sendall(b"GET /missing HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertEqual(read_answer(stream)[0], 404)

    def test_pipelined_requests_are_answered_in_order(self):
        targets = ["/index.html", "/missing", "/big.bin", "/empty.txt"] * 5
        text = "".join(f"GET {t} HTTP/1.1\r\nHost: a\r\n\r\n" for t in targets)
        with connect() as peer, peer.makefile("rb") as stream:
            peer.sendall(text.encode())
            got = [read_answer(stream) for _ in targets]
        self.assertEqual([g[0] for g in got], [200, 404, 200, 200] * 5)
        self.assertTrue(all(g[2] == self.big for g in got[2::4]))

    def test_a_request_in_single_octets(self):
        with connect() as peer, peer.makefile("rb") as stream:
            for octet in b"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n":
                peer.sendall(bytes([octet]))
            self.assertEqual(read_answer(stream)[0], 200)

    def test_a_slow_reader_gets_every_octet(self):
        with connect() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
            peer.sendall(b"GET /big.bin HTTP/1.0\r\n\r\n")
            octets = b""
            while part := peer.recv(1500):
                octets += part
        body = octets.partition(b"\r\n\r\n")[2]
        self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(self.big).digest())

    def test_a_thousand_connections_at_once(self):
        peers = [connect() for _ in range(1000)]
        for peer in peers:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for peer in peers:
            with peer.makefile("rb") as stream:
                self.assertEqual(read_answer(stream)[0], 200)
            peer.close()


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    HOST, PORT, ROOT = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
