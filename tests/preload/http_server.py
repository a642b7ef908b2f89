#!/usr/bin/env python3
# http_server.py - http.server with a thread for each connection, and urllib as its client.
import functools
import http.server
import os
import tempfile
import threading
import urllib.request


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


with tempfile.TemporaryDirectory() as folder:
    content = os.urandom(3_000_000)
    with open(os.path.join(folder, "file"), "wb") as file:
        file.write(content)
    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for _ in range(5):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}/file") as page:
            assert page.read() == content
    server.shutdown()
    server.server_close()
print("1 passed, 0 failed, 0 skipped")
