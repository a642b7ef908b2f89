#!/usr/bin/env python3
# complainer.py - a host that acknowledges no text and a router that complains, on one interface.
# 198.18.0.88 takes connections to port 80. About a SYN to port 1000 * TYPE + CODE, and once about
# text "TYPE CODE", 198.18.0.99 sends that ICMP error. Usage: complainer.py INTERFACE
import socket
import struct
import sys

HOST, ROUTER = socket.inet_aton("198.18.0.88"), socket.inet_aton("198.18.0.99")
MAC = b"\2\0\0\0\0\x58"
SYN, ACK = 2, 16
told = set()  # the front of TCP headers whose text was complained about


def checksum(octets):
    octets += b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(source, destination, protocol, payload):
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0,
                         source, destination)
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def answer_arp(frame):
    sender_mac, sender, target = frame[22:28], frame[28:32], frame[38:42]
    if frame[20:22] != b"\0\1" or target != HOST:
        return None
    return (sender_mac + MAC + b"\x08\x06" + frame[14:20] + b"\0\2" + MAC + HOST + sender_mac +
            sender)


def syn_ack(packet, tcp):
    ports = tcp[2:4] + tcp[0:2]
    seq = struct.unpack(">I", tcp[4:8])[0]
    segment = ports + struct.pack(">IIBBHHH", 7000, (seq + 1) & 0xFFFFFFFF, 0x50, SYN | ACK,
                                  65535, 0, 0)
    pseudo = HOST + packet[12:16] + struct.pack(">BBH", 0, 6, len(segment))
    segment = segment[:16] + struct.pack(">H", checksum(pseudo + segment)) + segment[18:]
    return ip_packet(HOST, packet[12:16], 6, segment)


def complaint(packet, kind, code):
    message = struct.pack(">BBHI", kind, code, 0, 0) + packet[:28]
    message = message[:2] + struct.pack(">H", checksum(message)) + message[4:]
    return ip_packet(ROUTER, packet[12:16], 1, message)


def answer_ip(packet):
    if packet[9] != 6 or packet[16:20] != HOST:
        return None
    tcp = packet[20:struct.unpack(">H", packet[2:4])[0]]
    port, text = struct.unpack(">H", tcp[2:4])[0], tcp[(tcp[12] >> 4) * 4:]
    if tcp[13] & SYN:
        return syn_ack(packet, tcp) if port == 80 else complaint(packet, *divmod(port, 1000))
    if text and tcp[:8] not in told:
        told.add(tcp[:8])
        return complaint(packet, *(int(word) for word in text.split()[:2]))
    return None


def main():
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind((sys.argv[1], 0))
    print("complains", flush=True)
    while True:
        frame = wire.recv(70000)
        answer = None
        if frame[12:14] == b"\x08\x06":
            answer = answer_arp(frame)
        elif frame[12:14] == b"\x08\0":
            answer = answer_ip(frame[14:])
            answer = answer and frame[6:12] + MAC + b"\x08\0" + answer
        if answer:
            wire.send(answer)


main()
