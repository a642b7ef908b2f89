# user.py - the check of a user who is not root and has been given the card.
import errno

from network import PEER
from session import CheckFailed

USER = 1000
AS_USER = """
cp nic.toml /run/user.toml && chmod 644 /run/user.toml && chown {user} /dev/vfio/[0-9]* || exit 1
ulimit -l {kilobytes}
cd / && HOME=/ setpriv --reuid {user} --regid {user} --clear-groups \\
  {pollux} run -c /run/user.toml -- /usr/bin/python3 -I -S -c \\
  'import socket; print(socket.socket().connect_ex(("{peer}", 9)))' 2>&1
"""


def as_user(session):
    """The peer's answer comes when memory may be locked for the packets, and only then."""
    for kilobytes, wanted in ((65536, errno.ECONNREFUSED), (64, errno.ENETDOWN)):
        text = session.in_guest(AS_USER.format(user=USER, kilobytes=kilobytes, peer=PEER,
                                               pollux=f"{session.build}/apps/pollux/pollux"))
        if text.splitlines()[-1:] != [str(wanted)]:
            raise CheckFailed(f"{kilobytes} KB may be locked: {text[-600:]}")
