#!/usr/bin/env python3
# client.py - the peer's part of the checks that need more than ping, curl and interop's peer.py.
"""usage: client.py forged ADDRESS INTERFACE   (datagrams with wrong sums: must not be answered)
       client.py hold ADDRESS COUNT           (connections; says "connected", ends with its input)
       client.py rounds ADDRESS COUNT         (a datagram and its echo; prints how many came)
       client.py echo ADDRESS PORT            (serves; says "listening", ends with its input)"""
import socket
import socketserver
import struct
import sys
import threading
import time

ECHO = 7


def sum_of(octets):
    """The Internet checksum of RFC 1071."""
    octets += bytes(len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def frame(macs, ends, text, wrong):
    """An Ethernet frame with a UDP datagram; `wrong` names the header whose sum is."""
    (source, source_port), (target, target_port) = ends
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    length = 8 + len(text)
    udp = struct.pack("!HHHH", source_port, target_port, length, 0) + text
    checksum = sum_of(addresses + struct.pack("!BBH", 0, 17, length) + udp) or 0xFFFF
    checksum ^= 0x0101 if wrong == "udp" else 0
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0, 64, 17, 0) + addresses
    header = sum_of(ip) ^ (0x0101 if wrong == "ip" else 0)
    return (macs + b"\x08\x00" + ip[:10] + struct.pack("!H", header) + ip[12:] +
            udp[:6] + struct.pack("!H", checksum) + text)


def neighbour(address):
    with open("/proc/net/arp", encoding="ascii") as file:
        found = [line.split()[3] for line in file if line.split()[0] == address]
    return bytes.fromhex(found[0].replace(":", ""))


def forged(address, interface):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as answers, \
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        answers.connect((address, ECHO))
        answers.settimeout(10)
        answers.send(b"hello")
        assert answers.recv(100) == b"hello", "the echo does not answer"
        wire.bind((interface, 0))
        macs = neighbour(address) + wire.getsockname()[4]
        ends = answers.getsockname(), (address, ECHO)
        for wrong in ("udp", "ip", "udp", "ip", ""):
            wire.send(frame(macs, ends, (wrong or "right").encode(), wrong))
        text = answers.recv(100)
        assert text == b"right", f"a datagram with a wrong sum was answered: {text}"


def hold(address, count):
    held = [socket.create_connection((address, ECHO), timeout=60) for _ in range(count)]
    print("connected", flush=True)
    sys.stdin.read()
    for number, one in enumerate(held):
        one.sendall(b"%d" % number)
        assert one.recv(100) == b"%d" % number, f"connection {number} is no more"


def rounds(address, count):
    """Each datagram finds the server asleep; none may be lost. From many ports: on all queues."""
    senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(32)]
    for one in senders:
        one.connect((address, ECHO))
        one.settimeout(10)
    came = 0
    for number in range(count):
        one = senders[number % len(senders)]
        time.sleep(0.005)
        one.send(b"%d" % number)
        try:
            came += one.recv(100) == b"%d" % number
        except socket.timeout:
            print(f"round {number}: no echo in 10 s")
    print(f"{came} of {count}")


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while text := self.request.recv(65536):
            self.request.sendall(text)


class EchoServer(socketserver.ThreadingTCPServer):
    request_queue_size = 512
    allow_reuse_address = True
    daemon_threads = True


def echo(address, port):
    with EchoServer((address, port), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print("listening", flush=True)
        sys.stdin.read()
        server.shutdown()


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    what, address, third = sys.argv[1:]
    if what == "forged":
        forged(address, third)
    elif what == "hold":
        hold(address, int(third))
    elif what == "echo":
        echo(address, int(third))
    else:
        rounds(address, int(third))


if __name__ == "__main__":
    main()
