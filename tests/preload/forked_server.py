#!/usr/bin/env python3
# forked_server.py - listen, then fork: the stack starts in the process that first needs the wire.
import errno
import os
import select
import socket
import sys


def serve_one(listener, address):
    """A client and its server in this process, over the listener that was inherited."""
    with socket.create_connection(address) as client:
        accepted, _ = listener.accept()
        with accepted:
            client.sendall(b"question")
            assert accepted.recv(100) == b"question"
            accepted.sendall(b"answer")
            assert client.recv(100) == b"answer"


def in_child(run):
    child = os.fork()
    if child == 0:
        try:
            run()
            os._exit(0)
        except BaseException as error:
            print("in the child:", repr(error), file=sys.stderr)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def stack_is_here():
    """The stack's library is in the process that has started one."""
    with open("/proc/self/maps") as maps:
        return "libpollux.so" in maps.read()


address = ("127.0.0.1", 7007)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(address)
listener.listen(8)
watched = select.epoll()
watched.register(listener, select.EPOLLIN)
try:
    socket.socket().bind(("0.0.0.0", address[1]))
    sys.exit("two listeners have one port")
except OSError as error:
    assert error.errno == errno.EADDRINUSE, error
assert not stack_is_here(), "bind and listen need no stack"


def as_worker():
    serve_one(listener, address)
    with socket.create_connection(address):
        assert watched.poll(5) == [(listener.fileno(), select.EPOLLIN)]
    assert stack_is_here()


assert in_child(as_worker) == 0
assert in_child(as_worker) == 0, "the next worker has a stack of its own"
assert not stack_is_here()
serve_one(listener, address)
assert stack_is_here()
assert in_child(lambda: serve_one(listener, address)) == 1, "the parent's stack is the parent's"
serve_one(listener, address)


def generation(number):
    """A stack of its own in each, made while its parent's runs."""
    own = socket.create_server(address)
    serve_one(own, address)
    if number > 0:
        assert in_child(lambda: generation(number - 1)) == 0
    serve_one(own, address)


assert in_child(lambda: generation(2)) == 0
serve_one(listener, address)
print("1 passed, 0 failed, 0 skipped")
