# removal.py - the check of a card that is taken away from a program that uses it.
import json
import os
import subprocess
import sys
import time

from network import PEER, STACK
from session import CLIENT, CheckFailed

LOSER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "loser.py")
HEARD = """\
recv: ENETDOWN
epoll: EPOLLERR|EPOLLHUP|EPOLLIN
accept: ENETDOWN
recv of UDP: ENETDOWN
SO_ERROR: ENETDOWN
recv again: ENETDOWN
connect: ENETDOWN
sendto: ENETDOWN
to itself: round
status 0
"""
AWAIT = """
for _ in $(seq {tries}); do
  grep -q '{line}' /run/log && exit 0
  sleep 0.1
done
echo "no '{line}' in:"
cat /run/log
exit 1
"""
# The kernel's part of an unbind returns when the process has let go, as that of an unplug does.
UNBIND = "echo {address} >/sys/bus/pci/devices/{address}/driver/unbind"


def unplug(guest):
    """Takes the card from the guest, as a hand at its slot would."""
    guest.command("device_del", {"id": "card"})
    end = time.monotonic() + 60
    while (line := guest.monitor.next(end - time.monotonic())) is not None:
        said = json.loads(line)
        if said.get("event") == "DEVICE_DELETED" and said["data"].get("device") == "card":
            return
    raise CheckFailed("the card is not let go of in 60 s")


def removal(session, take):
    """A program waits in four ways; then its card goes, and each way says so."""
    program = (f"{session.build}/apps/pollux/pollux run -c /run/shared/nic.toml -- "
               f"{sys.executable} -I -S {LOSER} {STACK} {PEER}")
    session.start(f'sh -c "{program}; echo status \\$?"')
    with subprocess.Popen(session.network.in_peer(sys.executable, CLIENT, "hold", STACK, "2"),
                          stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as holder:
        try:
            session.in_guest(AWAIT.format(tries=100, line="^waiting"))
            time.sleep(1)
            take()
            session.in_guest(AWAIT.format(tries=100, line="^status"), 90)
        finally:
            holder.kill()
    session.is_running = False
    heard = session.in_guest("sed '1,/^waiting/d' /run/log")
    if heard != HEARD:
        raise CheckFailed(heard)


def unbound(session):
    """By its driver's file in the guest; bound again it is as before."""
    try:
        removal(session, lambda: session.in_guest(UNBIND.format(address=session.model.address)))
    finally:
        session.bind()


def unplugged(session):
    removal(session, lambda: unplug(session.guest))
