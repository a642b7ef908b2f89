# queues.py - the checks of several queues, with a stack for each: where connections live.
import contextlib
import subprocess
import sys

import checks
from checks import QUEUES
from network import PEER, STACK
from session import CLIENT, CheckFailed

ECHO_PORT = "9000"


class Counted:
    """How far the counters of all stacks go on during a check."""

    def __init__(self, session):
        self.session = session
        self.before = self._read()
        self.after = None

    def _read(self):
        text = self.session.in_peer("curl", "-sS", "--max-time", "50", f"http://{STACK}/counters")
        return {name: int(value) for name, value in map(str.split, text.splitlines())}

    def end(self):
        self.after = self._read()

    def __getitem__(self, name):
        return self.after[name] - self.before[name]

    def each(self, name):
        return [self[f"stack{number}_{name}"] for number in range(QUEUES)]


@contextlib.contextmanager
def echo_of_peer(session):
    with subprocess.Popen(session.network.in_peer(sys.executable, CLIENT, "echo", PEER, ECHO_PORT),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        if server.stdout.readline() != "listening\n":
            raise CheckFailed("the peer's echo does not start")
        yield
        server.stdin.close()


def accepted(session):
    """200 connections live where the card brings them, and there come all their packets."""
    counted = Counted(session)
    checks.connections(session)
    counted.end()
    opens = counted.each("tcp_passive_opens")
    said = f"{'+'.join(map(str, opens))}, {counted['steered']} steered"
    # One more brings the counters.
    if sum(opens) != 201 or counted["steered"] != 0:
        raise CheckFailed(said)
    if session.model.has_known_spread and min(opens) == 0:
        raise CheckFailed(f"not spread: {said}")
    return said


def wrong_key(session):
    """The card hashes with a key that the stack knows nothing of: what was foretold is wrong, and
    100 connections are served all the same."""
    with echo_of_peer(session):
        text = session.in_guest(f"{session.build}/tests/nic/wrong-key /run/shared/nic.toml connect "
                                f"{PEER} {ECHO_PORT} 100 2>&1", 120)
    counters = {name: int(value) for name, value in map(str.split, text.splitlines())}
    said = f"{counters['steered']} steered, {counters['rss_misses']} foretold wrongly"
    if counters["tcp_active_opens"] != 100 or counters["rss_misses"] == 0:
        raise CheckFailed(said)
    return said


def made(session):
    """100 connections of four threads', whose ports are chosen so that their answers come home.
    They are served, too, where nobody knows what brings them home."""
    with echo_of_peer(session):
        counted = Counted(session)
        text = session.in_peer("curl", "-sS", "--max-time", "110",
                               f"http://{STACK}/connect/{PEER}/{ECHO_PORT}", seconds=120).strip()
        counted.end()
    opens = counted.each("tcp_active_opens")
    said = (f"{'+'.join(map(str, opens))}, {counted['steered']} steered, "
            f"{counted['rss_misses']} not on the queue of who asked")
    if text != "100 of 100" or sum(opens) != 100 or min(opens) == 0:
        raise CheckFailed(f"{text} answered; {said}")
    if session.model.has_known_spread and (counted["steered"] or counted["rss_misses"]):
        raise CheckFailed(said)
    return said
