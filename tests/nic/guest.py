# guest.py - QEMU with one network card, and a way to run shell scripts inside.
import json
import os
import select
import socket
import subprocess
import time

from initrd import write_initrd

HERE = os.path.dirname(os.path.abspath(__file__))
# TCG, by name: where a KVM exists that cannot run this kernel, QEMU would choose it.
MACHINE = ["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", "-machine",
           "q35", "-nodefaults", "-display", "none", "-no-reboot"]
# no_timer_check: on a busy host the emulated timer comes late, and the kernel would call it broken
# and panic.
COMMAND_LINE = ("console=ttyS0 quiet panic=-1 mitigations=off no_timer_check hugepagesz=2M "
                "hugepages=128")
BOOT_SECONDS = 120


class GuestFailed(Exception):
    """The guest did not come up, or does not answer: the message ends with its console's end."""


class Lines:
    """A socket of QEMU's, read line by line with a limit."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.rest = b""

    def send(self, text):
        self.socket.sendall(text.encode() + b"\n")

    def next(self, seconds):
        """The next line; None when there is none in time; "" never."""
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                return None
            more = self.socket.recv(65536)
            if not more:
                return None
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode(errors="replace").strip()


class Guest:
    """One boot. `folder` is shared with it: there it is /run/shared."""

    def __init__(self, model, packages, network, folder):
        self.model = model
        self.folder = folder
        self.jobs = 0
        self.console = os.path.join(folder, "console.log")
        self.process = None
        self.serial = self.monitor = None
        os.makedirs(folder, exist_ok=True)
        kernel = packages.kernel()
        initrd = os.path.join(folder, "initrd.gz")
        write_initrd(initrd, kernel, packages.busybox(), os.path.join(HERE, "init"))
        qemu, environment = packages.qemu(model.has_backports)
        command = [*qemu, *self._machine(kernel, initrd), *self._card(), *self._shares()]
        self._start(network.in_switch(*command), environment)

    def _machine(self, kernel, initrd):
        line = COMMAND_LINE + (" intel_iommu=on iommu=pt" if self.model.has_iommu else "")
        return [*MACHINE, "-kernel", f"{kernel}/vmlinuz", "-initrd", initrd, "-append", line,
                "-serial", f"file:{self.console}",
                "-chardev", f"socket,id=jobs,path={self.folder}/jobs,server=on,wait=off",
                "-serial", "chardev:jobs",
                "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]

    def _card(self):
        """The IOMMU first: what is named before it is not behind it."""
        model, queues = self.model, self.model.queues
        words = []
        if model.has_iommu:
            words += ["-device", "intel-iommu,intremap=on,device-iotlb=on"]
        tap = "tap,id=net0,ifname=tap0,script=no,downscript=no,vhost=off"
        if queues > 1 and model.device == "virtio-net-pci":
            tap += f",queues={queues}"
        words += ["-netdev", tap]
        if model.is_on_hub:
            words += ["-netdev", "hubport,id=port0,hubid=0,netdev=net0",
                      "-netdev", "hubport,id=port1,hubid=0"]
        place = "bus=pcie.0,addr=0x10"
        if model.is_behind_port:
            words += ["-device", "pcie-root-port,id=root0,bus=pcie.0,addr=0x1c,chassis=1"]
            place = "bus=root0"
        device = f"{model.device},id=card,mac=52:54:00:12:34:56,{place}"
        device += f",netdev={'port1' if model.is_on_hub else 'net0'}"
        if model.options:
            device += "," + model.options
        if queues > 1 and model.device == "virtio-net-pci":
            device += f",mq=on,vectors={2 * queues + 2}"
        return [*words, "-device", device]

    def _shares(self):
        return ["-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
                "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
                "-fsdev", f"local,id=shared,path={self.folder},security_model=none",
                "-device", "virtio-9p-pci,fsdev=shared,mount_tag=shared"]

    def _start(self, command, environment):
        with open(os.path.join(self.folder, "qemu.log"), "wb") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **environment},
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.serial = Lines(self._socket("jobs"))
            self.monitor = Lines(self._socket("qmp"))
            self.command("qmp_capabilities")
            if self.serial.next(BOOT_SECONDS) != "0 0":
                raise self.failed("the guest does not come up")
        except BaseException:
            self.stop()
            raise

    def _socket(self, name):
        path = os.path.join(self.folder, name)
        for _ in range(200):
            if os.path.exists(path):
                return path
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise self.failed("QEMU does not start")

    def failed(self, what):
        return GuestFailed("\n".join([what, *self.tail("qemu.log"), *self.tail("console.log")]))

    def tail(self, name, lines=15):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
                return ["     " + line.rstrip() for line in file.readlines()[-lines:]]
        except FileNotFoundError:
            return []

    def run(self, script, seconds=60):
        """(status, output) of a shell script in the guest."""
        self.jobs += 1
        base = os.path.join(self.folder, str(self.jobs))
        with open(base + ".sh", "w", encoding="utf-8") as file:
            file.write(script + "\n")
        self.serial.send(str(self.jobs))
        line = self.serial.next(seconds)
        if line is None:
            raise self.failed(f"the guest gives no answer in {seconds} s to: {script}")
        with open(base + ".out", encoding="utf-8", errors="replace") as file:
            return int(line.split()[1]), file.read()

    def command(self, name, arguments=None):
        """One command to QEMU itself; what it answers."""
        self.monitor.send(json.dumps({"execute": name, "arguments": arguments or {}}))
        while True:
            line = self.monitor.next(30)
            if line is None:
                raise self.failed(f"QEMU does not answer {name}")
            answer = json.loads(line)
            if "error" in answer:
                raise self.failed(f"QEMU refuses {name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def set_link(self, is_up):
        self.command("set_link", {"name": "card", "up": is_up})

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
