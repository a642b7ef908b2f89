# session.py - a booted guest with its card bound, and the program that runs on the card.
import os
import subprocess
import sys

from network import PEER, STACK

PROJECT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
INTEROP_PEER = os.path.join(PROJECT, "tests/interop/peer.py")
CLIENT = os.path.join(PROJECT, "tests/nic/client.py")
SERVER = os.path.join(PROJECT, "tests/nic/server.py")

BIND = """
card=/sys/bus/pci/devices/{address}
echo {driver} >$card/driver_override
[ ! -e $card/driver ] || echo {address} >$card/driver/unbind
echo {address} >/sys/bus/pci/drivers_probe
[ "$(basename "$(readlink $card/driver)")" = {driver} ]
"""
START = """
sh -c 'echo $$ >/run/pid; exec {command}' >/run/log 2>&1 &
for _ in $(seq 600); do
  grep -q listening /run/log && exit 0
  kill -0 $! 2>/dev/null || break
  sleep 0.1
done
cat /run/log
exit 1
"""
STOP = """
pid=$(cat /run/pid)
kill $pid 2>/dev/null || { echo "it was gone already"; cat /run/log; exit 1; }
for _ in $(seq 200); do
  kill -0 $pid 2>/dev/null || exit 0
  sleep 0.1
done
kill -KILL $pid
echo "SIGTERM does not end it"
cat /run/log
exit 1
"""


class CheckFailed(Exception):
    pass


class Session:
    def __init__(self, guest, network, build):
        self.guest = guest
        self.network = network
        self.build = build
        self.model = guest.model
        self.folder = guest.folder
        self.is_running = False

    def in_guest(self, script, seconds=60):
        """What a script in the guest prints; it has to succeed."""
        status, text = self.guest.run(script, seconds)
        if status != 0:
            raise CheckFailed(f"status {status} in the guest: {text.strip()[-1500:]}")
        return text

    def in_peer(self, *command, seconds=60):
        """What a command in the peer's namespace prints; it has to succeed."""
        try:
            done = subprocess.run(self.network.in_peer(*command), timeout=seconds, text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except subprocess.TimeoutExpired as error:
            raise CheckFailed(f"{command[0]} has not ended in {seconds} s") from error
        if done.returncode != 0:
            text = (done.stdout + done.stderr).strip()
            raise CheckFailed(f"{command[0]}: status {done.returncode}: {text[-600:]}")
        return done.stdout

    def python(self, script, *arguments, seconds=120):
        return self.in_peer(sys.executable, script, *arguments, seconds=seconds)

    def bind(self):
        self.in_guest(BIND.format(address=self.model.address, driver=self.model.driver))

    def configure(self, settings):
        """Writes the configuration: of a card, with `settings` of the port and of the stack."""
        lines = {"port": [], "stack": []}
        for key, value in settings.items():
            section, name = key.split(".")
            lines[section].append(f"{name} = {str(value).lower()}\n"
                                  if isinstance(value, (bool, int)) else f'{name} = "{value}"\n')
        with open(os.path.join(self.folder, "nic.toml"), "w", encoding="utf-8") as file:
            file.write("[stack]\n" + "".join(lines["stack"]))
            file.write(f'\n[[port]]\nname = "nic0"\ndevice = "{self.model.address}"\n'
                       f'addresses = ["{STACK}/24"]\ngateway = "{PEER}"\n')
            file.write("".join(lines["port"]))

    def start(self, command):
        self.in_guest(START.format(command=command), 180)
        self.is_running = True

    def start_server(self, name="text"):
        self.start(f"{self.build}/apps/pollux/pollux run -c /run/shared/nic.toml -- "
                   f"{sys.executable} -I -S {SERVER} {STACK} /run/shared/site/{name} /run/put")

    def start_echo(self):
        self.start(f"{self.build}/apps/echo -c /run/shared/nic.toml --port 7")

    def start_http(self):
        self.start(f"{self.build}/apps/http -c /run/shared/nic.toml --root /run/shared/site "
                   "--port 80")

    def stop(self):
        if self.is_running:
            self.is_running = False
            self.in_guest(STOP)
