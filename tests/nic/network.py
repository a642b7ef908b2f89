# network.py - the host's side: two namespaces, a TAP, and a wire on which all is to be right.
"""
        guest                 switch                        peer
    NIC --- QEMU --- tap0 --- bridge --- wire-sw  =====  wire 198.18.0.1

A frame that leaves the guest with its checksum or its segmentation left to the card may go through
a TAP as it is. `wire-sw` offers neither, so the kernel finishes it there, with what the guest said
about it: the capture on `wire` is what a cable would have carried, whatever the model.
"""
import os
import subprocess

STACK = "198.18.0.2"
PEER = "198.18.0.1"
NETWORK = "198.18.0.0/24"


def sh(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


class Network:
    def __init__(self, queues, has_header):
        self.switch = f"plx-nic-{os.getpid()}-sw"
        self.peer = f"plx-nic-{os.getpid()}-peer"
        self.made = []
        try:
            self._make(queues, has_header)
        except BaseException:
            self.remove()
            raise

    def _make(self, queues, has_header):
        for name in (self.switch, self.peer):
            sh("ip", "netns", "add", name)
            self.made.append(name)
            sh(*self.inside(name), "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
               "net.ipv6.conf.default.disable_ipv6=1")
            sh("ip", "-n", name, "link", "set", "lo", "up")
        switch = ["ip", "-n", self.switch]
        kind = (["vnet_hdr"] if has_header else []) + (["multi_queue"] if queues > 1 else [])
        sh(*switch, "tuntap", "add", "tap0", "mode", "tap", *kind)
        sh(*switch, "link", "add", "bridge", "type", "bridge", "forward_delay", "0",
           "mcast_snooping", "0")
        sh(*switch, "link", "add", "wire-sw", "type", "veth", "peer", "name", "wire",
           "netns", self.peer)
        sh(*self.inside(self.switch), "ethtool", "-K", "wire-sw", "tx", "off", "tso", "off")
        for name in ("tap0", "wire-sw"):
            sh(*switch, "link", "set", name, "master", "bridge", "up")
        sh(*switch, "link", "set", "bridge", "up")
        sh("ip", "-n", self.peer, "link", "set", "wire", "up")
        sh("ip", "-n", self.peer, "addr", "add", f"{PEER}/24", "dev", "wire")

    @staticmethod
    def inside(name):
        return ["ip", "netns", "exec", name]

    def in_switch(self, *command):
        return [*self.inside(self.switch), *command]

    def in_peer(self, *command):
        return [*self.inside(self.peer), *command]

    def remove(self):
        for name in self.made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        self.made = []
