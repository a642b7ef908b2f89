# wire.py - captures, taken by tshark and read by tshark.
import os
import subprocess
import time

from network import STACK

CHECKSUMS = ("ip", "tcp", "udp", "icmp")
LARGEST_FRAME = 1514
WRONG = "0"  # tshark's word for a checksum that does not fit; 1 is one that does


class Capture:
    """What the stack sends, as it arrives at the peer, until stop()."""

    def __init__(self, network, path):
        self.path = path
        self.log = path + ".log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                network.in_peer("tshark", "-q", "-B", "64", "-i", "wire", "-w", path, "-f",
                                f"src host {STACK}"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(300):
            with open(self.log, "rb") as log:
                if b"Capturing on" in log.read() and os.path.exists(path):
                    return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError("tshark does not capture")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Frames:
    """Counts of what `source` sent in a capture: all, longer than a frame may be, wrong by sum."""

    def __init__(self, path, source=STACK):
        fields = ["frame.len", "tcp.checksum", "_ws.malformed"]
        fields += [f"{protocol}.checksum.status" for protocol in CHECKSUMS]
        command = ["tshark", "-r", path, "-Y", f"ip.src == {source}", "-T", "fields"]
        command += [word for field in fields for word in ("-e", field)]
        command += [word for protocol in CHECKSUMS[:3]
                    for word in ("-o", f"{protocol}.check_checksum:TRUE")]
        # Segments that were left to the card have no place in a packet's own length.
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"tshark does not read {path}: {done.stderr.strip()[-200:]}")
        self.all = self.large = self.malformed = 0
        self.wrong = dict.fromkeys(CHECKSUMS, 0)
        for line in done.stdout.splitlines():
            self._count(line.split("\t"))

    def _count(self, values):
        self.all += 1
        self.large += int(values[0]) > LARGEST_FRAME
        self.malformed += values[2] != ""
        for protocol, status in zip(CHECKSUMS, values[3:]):
            # The kernel, finishing a sum of 0, writes 0xffff, which tshark takes for wrong.
            if WRONG in status.split(",") and not (protocol == "tcp" and values[1] == "0xffff"):
                self.wrong[protocol] += 1

    def __str__(self):
        wrong = ", ".join(f"{count} {name}" for name, count in self.wrong.items() if count)
        return (f"{self.all} frames, {self.large} too long, {self.malformed} malformed, "
                f"wrong sums: {wrong or 'none'}")
