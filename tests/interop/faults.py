#!/usr/bin/env python3
# faults.py - the programs that faults_test.sh ends or starves, and their peers.
# Usage: faults.py NAME [ARGUMENTS]; stack's programs under `pollux run`, the kernel's without.
import errno
import os
import pty
import resource
import select
import signal
import socket
import sys
import termios
import threading
import time

KERNEL, STACK, PORT = "198.18.0.1", "198.18.0.2", 9000
LIMIT = 20  # seconds; nothing here takes them
CLIENTS = 80  # of a server with 64 descriptors


def listener(address):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, PORT))
    sock.listen(128)
    return sock


def connect(address=KERNEL):
    return socket.create_connection((address, PORT), timeout=LIMIT)


def connect_soon(address):
    """A stack that has just begun to listen has its device a little later."""
    for _ in range(10 * LIMIT):
        try:
            return connect(address)
        except OSError:
            time.sleep(0.1)
    return connect(address)


def receive(sock, length):
    data = b""
    while len(data) < length:
        more = sock.recv(length - len(data))
        if not more:
            break
        data += more
    return data


def peer(patience):
    """The kernel's side of one connection: how it ends."""
    listening = listener("0.0.0.0")
    print("peer listens", flush=True)
    sock = listening.accept()[0]
    sock.sendall(receive(sock, 5))
    sock.settimeout(float(patience))
    try:
        print("end" if sock.recv(1) == b"" else "octets", flush=True)
    except ConnectionResetError:
        print("reset", flush=True)
    except TimeoutError:
        print("silence", flush=True)
        ask_again(listening, sock)


def ask_again(listening, sock):
    """Another program of the stack's has the address by now: it does not know the connection."""
    listening.accept()[0].sendall(b"known")
    try:
        sock.sendall(b"?")
        sock.settimeout(LIMIT)
        print("then octets" if sock.recv(1) else "then the end", flush=True)
    except ConnectionResetError:
        print("then reset", flush=True)


def victim(number=0):
    """Connected, it ends itself, or waits for it."""
    sock = connect()
    sock.sendall(b"hello")
    assert receive(sock, 5) == b"hello"
    print("victim is ready", flush=True)
    if int(number):
        os.kill(os.getpid(), int(number))
    # A signal between python's last look and its sleep shows only after that.
    for _ in range(LIMIT * 10):
        time.sleep(0.1)


def survivor():
    """Waits until the peer has said something of its own accord, and has had time for an answer."""
    sock = connect()
    assert receive(sock, 5) == b"known"
    time.sleep(1)


def terminal(*command):
    """Ctrl-C in a terminal of its own: what the program's end is, and what is left there."""
    pid, terminal_fd = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    before = termios.tcgetattr(terminal_fd)
    shown = b""
    while b"victim is ready" not in shown:
        shown += os.read(terminal_fd, 1000)
    os.write(terminal_fd, b"\x03")
    ended, status = os.waitpid(pid, 0)
    assert ended == pid
    after = termios.tcgetattr(terminal_fd) if before else None
    print("signal", os.WTERMSIG(status) if os.WIFSIGNALED(status) else status, flush=True)
    print("terminal", "unharmed" if after == before else f"changed: {before} {after}", flush=True)


def starts_or_says():
    """Little memory: either the stack works, or its sockets are ENETDOWN; the program lives."""
    try:
        sock = connect()
        sock.sendall(b"hello")
        print("works" if receive(sock, 5) == b"hello" else "octets are lost")
    except OSError as error:
        print(errno.errorcode[error.errno])


def echo_for_ever():
    """The kernel's echo server, a thread for each."""
    listening = listener("0.0.0.0")
    print("echo listens", flush=True)

    def serve(sock):
        while data := sock.recv(65536):
            sock.sendall(data)

    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()


def no_more_memory():
    """From the first connection on the process gets no memory for more than python's own needs."""
    first = connect()
    with open("/proc/self/status", encoding="ascii") as status:
        size = next(int(line.split()[1]) for line in status if line.startswith("VmSize"))
    resource.setrlimit(resource.RLIMIT_AS, (size * 1024, size * 1024))
    try:
        bytearray(64 << 20)
        print("there is memory")
    except MemoryError:
        pass
    others = [connect() for _ in range(100)]
    poll, epoll = select.poll(), select.epoll()
    for sock in [first, *others]:
        sock.sendall(b"x" * 10000)
        poll.register(sock, select.POLLIN)
        epoll.register(sock, select.EPOLLIN)
    assert poll.poll(LIMIT * 1000) and epoll.poll(LIMIT)
    print("works" if all(len(receive(s, 10000)) == 10000 for s in [first, *others]) else "lost")


def reader_that_waits():
    """Accepts all that come and reads nothing until told: packets run out. Then reads it all."""
    listening = listener("0.0.0.0")
    print("reader listens", flush=True)
    socks = [listening.accept()[0] for _ in range(20)]
    go = listening.accept()[0]
    receive(go, 1)
    total = 0
    while socks:
        for sock in select.select(socks, [], [])[0]:
            data = sock.recv(65536)
            total += len(data)
            if not data:
                socks.remove(sock)
    go.sendall(b"%d" % total)


def flood(each):
    """20 connections that send more than the stack has packets for; another one works all the
    while, and in the end all has arrived."""
    data = b"x" * int(each)

    def send(sock):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=send, args=(connect_soon(STACK),)) for _ in range(20)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    go = connect(STACK)
    go.sendall(b"g")
    for thread in threads:
        thread.join(LIMIT)
    print("works" if receive(go, 100) == b"%d" % (20 * len(data)) else "lost")


def few_descriptors():
    """64 descriptors: accept says EMFILE, and goes on when there is room again."""
    listening = listener("0.0.0.0")
    listening.settimeout(LIMIT)
    print("few listens", flush=True)
    socks = []
    while True:
        try:
            socks.append(listening.accept()[0])
        except OSError as error:
            print(errno.errorcode[error.errno], len(socks) > 40, flush=True)
            break
    served = len(socks)
    while socks:
        socks.pop().sendall(b"served")
    for _ in range(CLIENTS - served):
        listening.accept()[0].sendall(b"served")


def many_clients():
    socks = [connect_soon(STACK) for _ in range(CLIENTS)]
    served = sum(receive(sock, 6) == b"served" for sock in socks)
    print("works" if served == CLIENTS else f"{served} served")


if __name__ == "__main__":
    signal.alarm(4 * LIMIT)
    globals()[sys.argv[1]](*sys.argv[2:])
