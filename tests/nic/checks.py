# checks.py - the columns of the table: each is a function that ends, or raises CheckFailed.
import hashlib
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field

from network import PEER, STACK
from session import CLIENT, INTEROP_PEER, CheckFailed
from wire import Capture, Frames

TEXT_OCTETS = 16 << 20
SMALL_OCTETS = 1 << 20
QUEUES = 4


@dataclass(frozen=True)
class Variant:
    name: str
    settings: dict = field(default_factory=dict)

    def is_on(self, key):
        return self.settings.get(key, True)


PLAIN = Variant("as it comes")
BARE = Variant("`checksum_offload = false`", {"port.checksum_offload": False})
VARIANTS = [
    PLAIN,
    Variant("`tso = false`", {"port.tso": False}),
    BARE,
    Variant("`rx_interrupts = false`", {"port.rx_interrupts": False}),
]
WITHOUT_LRO = Variant("`lro = false`", {"port.lro": False})  # where the card offers it
SEVERAL = Variant(f"`queues = {QUEUES}`", {"stack.queues": QUEUES})  # where the card has them
# Of each queue, as Pollux names them.
CAPTURES = ["stack.pcap"] + [f"stack.pcap.{queue}" for queue in range(1, QUEUES)]
SHORT = [PLAIN, BARE]  # with every run of all tests


def make_site(folder):
    """The text that is moved, and its beginning; in the folder that is shared with the guest."""
    site = os.path.join(folder, "site")
    os.makedirs(site, exist_ok=True)
    text = os.urandom(TEXT_OCTETS)
    for name, octets in (("text", text), ("small", text[:SMALL_OCTETS])):
        with open(os.path.join(site, name), "wb") as file:
            file.write(octets)


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def text_path(session):
    return os.path.join(session.folder, "site/text")


# What is left to the card, as the stack sees it before and the peer after.

def offloads(session, variant):
    """With a capture between stack and card: wrong sums and long frames in it are work left to the
    card, and have to be there or not; so have long ones that arrive."""
    captures = [os.path.join(session.folder, name) for name in CAPTURES]
    session.configure({**variant.settings, "port.capture": "/run/shared/stack.pcap"})
    session.start_server("small")
    url = f"http://{STACK}/"
    session.in_peer("curl", "-sS", "-m", "55", "-o", os.devnull, url)
    session.in_peer("curl", "-sS", "-m", "55", "-T", os.path.join(session.folder, "site/small"),
                    url)
    session.stop()
    captures = [path for path in captures if os.path.exists(path)]
    sent = [Frames(path) for path in captures]
    sums = session.model.has_checksums and variant.is_on("port.checksum_offload")
    cuts = session.model.has_tso and sums and variant.is_on("port.tso")
    if any(frames.wrong["tcp"] for frames in sent) != sums or any(
            frames.large for frames in sent) != cuts:
        raise CheckFailed(f"{'no ' * (not sums)}checksums and {'no ' * (not cuts)}segmentation "
                          f"were to be left to the card: {'; '.join(map(str, sent))}")
    merged = sum(Frames(path, PEER).large for path in captures)
    merges = session.model.has_lro and sums and variant.is_on("port.lro")
    for path in captures:
        os.remove(path)
    if (merged > 0) != merges:
        raise CheckFailed(f"segments were {'not ' * (not merges)}to be merged: {merged} were")


# On one start of server.py.

def ping(session):
    for size in ("56", "1400"):
        text = session.in_peer("ping", "-n", "-q", "-c", "5", "-i", "0.2", "-W", "10", "-s", size,
                               STACK)
        if " 5 received" not in text:
            raise CheckFailed(text)


def download(session):
    path = os.path.join(session.folder, "received")
    session.in_peer("curl", "-sS", "--max-time", "110", "-o", path, f"http://{STACK}/",
                    seconds=120)
    if digest_of(path) != digest_of(text_path(session)):
        raise CheckFailed(f"{os.path.getsize(path)} octets came, or not the same")


def upload(session):
    session.in_peer("curl", "-sS", "--max-time", "110", "-T", text_path(session),
                    f"http://{STACK}/", seconds=120)
    digest = session.in_guest("sha256sum </run/put; rm /run/put").split()[0]
    if digest != digest_of(text_path(session)):
        raise CheckFailed("not the same text arrived")


def connections(session):
    session.python(INTEROP_PEER, "echo", STACK, "7", "4096", "200")


def datagrams(session):
    session.python(INTEROP_PEER, "udp", STACK, "7")


def forged(session):
    session.python(CLIENT, "forged", STACK, "wire")


SERVED = {"ping": ping, "GET 16 MiB": download, "PUT 16 MiB": upload,
          "200 connections": connections, "UDP echo": datagrams, "wrong sums": forged}


def judge_wire(capture):
    frames = Frames(capture.path)
    if frames.all < 10_000 or frames.large or frames.malformed or any(frames.wrong.values()):
        raise CheckFailed(str(frames))


# Asleep and awake, with apps/echo.

COUNT_INTERRUPTS = r"""
awk '/vfio|uio/ { sum += $2 + $3 } END { print sum + 0 }' /proc/interrupts
"""
COUNT_WORK = r"""
pid=$(cat /run/pid)
awk '{ print $14 + $15 }' /proc/$pid/stat
cat /proc/$pid/task/*/status | awk '/ctxt_switches/ { sum += $2 } END { print sum }'
"""
IDLE_SECONDS = 10


def idle(session):
    """With 100 connections: under 1 % of a core, and asleep, not looking every millisecond; but a
    card whose interrupts have died in the traffic before is found out, and polled so often."""
    holder = subprocess.Popen(
        session.network.in_peer(sys.executable, CLIENT, "hold", STACK, "100"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        if holder.stdout.readline() != "connected\n":
            raise CheckFailed(f"100 connections: {holder.stdout.read()[-300:]}")
        time.sleep(2)
        before = [int(number) for number in session.in_guest(COUNT_WORK).split()]
        time.sleep(IDLE_SECONDS)
        after = [int(number) for number in session.in_guest(COUNT_WORK).split()]
        text, _ = holder.communicate("", timeout=60)
    finally:
        if holder.poll() is None:
            holder.kill()
            holder.wait()
    ticks, switches = after[0] - before[0], after[1] - before[1]
    said = f"{ticks / IDLE_SECONDS:.1f} % of a core, {switches / IDLE_SECONDS:.1f} wake-ups/s"
    is_awake = ticks >= IDLE_SECONDS or switches >= 50 * IDLE_SECONDS
    if is_awake and session.model.has_lasting_interrupt:
        raise CheckFailed(said)
    if holder.returncode != 0:
        raise CheckFailed(f"afterwards: {text[-300:]}")
    return said


def rounds(session, count=1000):
    """Each of `count` datagrams is answered; most of them, at least, found the server asleep."""
    before = int(session.in_guest(COUNT_INTERRUPTS))
    text = session.python(CLIENT, "rounds", STACK, str(count), seconds=300).strip()
    interrupts = int(session.in_guest(COUNT_INTERRUPTS)) - before
    said = f"{text} answered, {interrupts} interrupts"
    wanted = count // 2 if session.model.has_lasting_interrupt else 0
    if text != f"{count} of {count}" or interrupts < wanted:
        raise CheckFailed(said)
    return said


DOWN_SECONDS = 5


def link_down(session):
    """The cable is out for 5 s in the middle of a download, which then goes on."""
    path = os.path.join(session.folder, "received")
    with open(path, "wb"):
        pass
    curl = subprocess.Popen(
        session.network.in_peer("curl", "-sS", "--max-time", "170", "--limit-rate", "4M", "-o",
                                path, f"http://{STACK}/text"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        time.sleep(1)
        session.guest.set_link(False)
        time.sleep(DOWN_SECONDS - 2)
        then = os.path.getsize(path)
        time.sleep(2)
        now = os.path.getsize(path)
        session.guest.set_link(True)
        if not 0 < then == now < TEXT_OCTETS:
            raise CheckFailed(f"the link was not down: {then} octets, then {now}")
        text, _ = curl.communicate(timeout=180)
    finally:
        if curl.poll() is None:
            curl.kill()
            curl.wait()
    if curl.returncode != 0 or digest_of(path) != digest_of(text_path(session)):
        raise CheckFailed(f"curl {curl.returncode}, {os.path.getsize(path)} octets: {text}")
    return re.sub(r"\s+", " ", text)
