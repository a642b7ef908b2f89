#!/usr/bin/env python3
# errors.py - what a stream says of ICMP errors: SO_ERROR, the error queue, poll and epoll.
# Line by line, to be the same on the kernel and on Pollux. complainer.py is the other end.
import errno
import select
import socket
import struct
import time

PEER, NOBODY = "198.18.0.88", "198.18.0.77"
IP_RECVERR = 11


def outcome(call):
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno]


def error_queue(stream):
    # The octets of what failed are Linux's alone.
    _, control, flags, sender = stream.recvmsg(2000, 512, socket.MSG_ERRQUEUE)
    level, kind, value = control[0]
    error = struct.unpack("IBBBBII", value[:16])
    where = slice(20, 24) if level == socket.IPPROTO_IP else slice(24, 40)
    return errno.errorcode[error[0]], error[1:], level, kind, value[where].hex(), flags, sender


def mask(stream):
    poll = select.poll()
    poll.register(stream, 0xFFFF)
    return [hex(events) for _, events in poll.poll(0)]


def wait_for_error(stream):
    poll = select.poll()
    poll.register(stream, 0)
    return bool(poll.poll(10_000))


def connecting(address, family=socket.AF_INET, wanted=False):
    stream = socket.socket(family)
    stream.setblocking(False)
    if wanted:
        stream.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    say("connect", outcome(lambda: stream.connect(address)))
    return stream


def say(*words):
    print(*words, flush=True)


def so_error(stream):
    return stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def tell_all(stream):
    for _ in range(2):
        say("  mask", mask(stream), "queue", outcome(lambda: error_queue(stream)))
    say("  SO_ERROR", so_error(stream), mask(stream), outcome(lambda: stream.recv(1)))


def connects_that_end():
    for kind, code in ((3, 0), (3, 1), (3, 2), (3, 3), (3, 9), (3, 13), (11, 0), (12, 0)):
        for wanted in (False, True):
            stream = connecting((PEER, 1000 * kind + code), wanted=wanted)
            say(kind, code, wanted, wait_for_error(stream))
            tell_all(stream)
    stream = connecting(("::ffff:" + PEER, 3001, 0, 0), socket.AF_INET6)
    say("AF_INET6", wait_for_error(stream))
    tell_all(stream)


def what_stays():
    stream = connecting((PEER, 3001))
    say("stays", wait_for_error(stream), so_error(stream), so_error(stream), mask(stream))
    say("  again", outcome(lambda: stream.connect((PEER, 3001))), mask(stream))
    say("  again", outcome(lambda: stream.connect((PEER, 3000))))
    time.sleep(0.5)
    say("  two", so_error(stream), outcome(lambda: error_queue(stream)), so_error(stream))
    say("  one", outcome(lambda: error_queue(stream)), mask(stream))
    stream = connecting((PEER, 3001))
    say("read", wait_for_error(stream), outcome(lambda: stream.recv(1)), mask(stream))
    say("  shutdown", outcome(lambda: stream.shutdown(socket.SHUT_RDWR)), mask(stream))
    tell_all(stream)


def edges():
    stream = socket.socket()
    stream.setblocking(False)
    with select.epoll() as watch:
        outcome(lambda: stream.connect((PEER, 3001)))
        watch.register(stream, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        time.sleep(0.5)
        say("edge", [hex(events) for _, events in watch.poll(0)], watch.poll(0))
        outcome(lambda: error_queue(stream))
        say("edge", watch.poll(0))


def open_connections():
    for wanted in (False, True):
        for words in ("3 1", "3 3", "11 0", "12 0"):
            stream = connecting((PEER, 80), wanted=wanted)
            writable = select.poll()
            writable.register(stream, select.POLLOUT)
            writable.poll(10_000)
            say("open", words, wanted, stream.send(words.encode()))
            time.sleep(0.3)
            say("  mask", mask(stream), outcome(lambda: error_queue(stream)))
            say("  SO_ERROR", so_error(stream), so_error(stream), mask(stream))
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.close()


def nobody_answers():
    stream = connecting((NOBODY, 80))
    say("nobody", wait_for_error(stream))
    tell_all(stream)


connects_that_end()
what_stays()
edges()
open_connections()
nobody_answers()
