# models.py - the table of emulated network cards: one entry is one boot of the guest.
"""What a model `offers` is written down, not asked of it: a card that offers less than before is a
failure too."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    name: str
    device: str                 # QEMU's name of it
    pmd: str                    # DPDK's driver
    options: str = ""           # and of its properties
    has_backports: bool = False  # needs the newer QEMU of the distribution's backports
    is_behind_port: bool = False  # a PCI Express root port of its own
    is_on_hub: bool = False     # no virtio header reaches the host: nothing can be offloaded to it
    driver: str = "vfio-pci"    # of the guest's kernel; uio_pci_generic needs no IOMMU
    queues: int = 1             # that the card has
    has_known_spread: bool = True  # over them: Pollux foretells the queue of an answer
    # False: under load the guest's kernel takes the card's pin for a stranger's ("nobody cared"),
    # switches it off and asks the card ten times a second; nothing is lost, but all is late.
    has_lasting_interrupt: bool = True
    has_checksums: bool = True  # of TCP, in hardware
    has_tso: bool = True
    has_lro: bool = False

    @property
    def has_iommu(self):
        return self.driver == "vfio-pci"

    @property
    def address(self):
        return "0000:01:00.0" if self.is_behind_port else "0000:00:10.0"


# With an IOMMU a virtio device has to say that it is behind it.
VIRTIO = "disable-legacy=on,iommu_platform=on,ats=on"

MODELS = [
    Model("virtio-net-pci", "virtio-net-pci", "net_virtio", VIRTIO, is_behind_port=True,
          has_lro=True),
    Model("virtio-net-pci, hub", "virtio-net-pci", "net_virtio", VIRTIO, is_on_hub=True,
          has_checksums=False, has_tso=False),
    Model("e1000e, uio", "e1000e", "net_e1000_em", driver="uio_pci_generic",
          has_lasting_interrupt=False, has_tso=False),
    Model("virtio-net-pci, 4 queues", "virtio-net-pci", "net_virtio", VIRTIO + ",rss=on",
          is_behind_port=True, queues=4, has_lro=True),
    # Without a hash of its own: the TAP's kernel spreads.
    Model("virtio-net-pci, 4 queues, no rss", "virtio-net-pci", "net_virtio", VIRTIO, queues=4,
          has_known_spread=False, has_lro=True),
    Model("igb", "igb", "net_e1000_igb", has_backports=True, is_behind_port=True, queues=4),
    Model("e1000e", "e1000e", "net_e1000_em", has_tso=False),
    Model("e1000", "e1000", "net_e1000_em", has_tso=False),
    # QEMU's gives all to the first queue.
    Model("vmxnet3", "vmxnet3", "net_vmxnet3", queues=4, has_known_spread=False),
]
