#!/usr/bin/env python3
# malformed.py - throws damaged frames at the stack through a packet socket on the TAP.
"""usage: malformed.py COUNT [SEED]   (in the namespace of a running server at 198.18.0.2)"""
import random
import socket
import struct
import subprocess
import sys


def device_and_addresses():
    """The TAP's name, its own hardware address and the stack's."""
    name = subprocess.check_output(
        ["ip", "-o", "addr", "show", "to", "198.18.0.1"], text=True).split()[1]
    subprocess.run(["ping", "-c", "1", "-W", "1", "198.18.0.2"], stdout=subprocess.DEVNULL)
    ours = open(f"/sys/class/net/{name}/address", encoding="ascii").read().strip()
    words = subprocess.check_output(["ip", "neigh", "show", "198.18.0.2"], text=True).split()
    return name, octets_of(ours), octets_of(words[words.index("lladdr") + 1])


def octets_of(text):
    return bytes(int(part, 16) for part in text.split(":"))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def tcp_segment(rng, source, destination):
    """A segment with a right checksum: the damage comes in every field but that."""
    options = rng.randbytes(4 * rng.randrange(11))
    header = struct.pack("!HHIIBBHHH", rng.randrange(1024, 65536), 7, rng.getrandbits(32),
                         rng.getrandbits(32), (5 + len(options) // 4) << 4, rng.randrange(256),
                         rng.randrange(65536), 0, rng.randrange(65536))
    text = header + options + rng.randbytes(rng.randrange(64))
    pseudo = source + destination + struct.pack("!BBH", 0, 6, len(text))
    return text[:16] + struct.pack("!H", checksum(pseudo + text)) + text[18:]


def ipv4_packet(rng):
    source = socket.inet_aton("198.18.0.1")
    destination = socket.inet_aton("198.18.0.2")
    protocol = rng.choice((1, 6, 6, 6, 17, rng.randrange(256)))
    inner = tcp_segment(rng, source, destination) if protocol == 6 else \
        rng.randbytes(rng.randrange(80))
    fragment = rng.choice((0, 0, 0, rng.randrange(65536)))
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(inner), rng.randrange(65536),
                         fragment, 64, protocol, 0, source, destination)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return header + inner


def damage(rng, frame):
    kind = rng.randrange(5)
    if kind == 0:
        return frame[:rng.randrange(14, len(frame) + 1)]
    if kind == 1:
        at = rng.randrange(14, len(frame))
        return frame[:at] + bytes([rng.randrange(256)]) + frame[at + 1:]
    if kind == 2:
        return frame + rng.randbytes(rng.randrange(64))
    if kind == 3:
        return frame[:14] + rng.randbytes(rng.randrange(1, 100))
    return frame


def main():
    count = int(sys.argv[1])
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    name, ours, theirs = device_and_addresses()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((name, 0))
        for _ in range(count):
            kind = rng.choice((0x0800,) * 3 + (0x0806, 0x86dd, 0x8100, rng.randrange(65536)))
            body = ipv4_packet(rng) if kind == 0x0800 else rng.randbytes(rng.randrange(1, 80))
            frame = theirs + ours + struct.pack("!H", kind) + body
            try:
                wire.send(damage(rng, frame))
            except OSError:
                pass  # the device's queue is full, or the frame too short for it
    print(f"{count} frames sent")


if __name__ == "__main__":
    main()
