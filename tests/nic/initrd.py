# initrd.py - the guest's first file system, as the kernel wants it: a cpio archive, compressed.
import gzip
import os
import re
import stat

FOLDERS = ("bin", "dev", "proc", "sys", "host", "modules")


def dependencies_of(module):
    """The names in a module's own list of what has to be loaded before it."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    names = found.group(1).decode() if found else ""
    return [name.replace("-", "_") for name in names.split(",") if name]


class Archive:
    """cpio's "newc" format: a header of hexadecimal numbers, the name, the content, each padded."""

    def __init__(self):
        self.parts = []
        self.inode = 1

    def add(self, name, mode, content=b""):
        text = name.encode() + b"\0"
        numbers = (self.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(text), 0)
        header = b"070701" + b"".join(b"%08X" % number for number in numbers) + text
        self.parts += [self._padded(header), self._padded(content)]
        self.inode += 1

    @staticmethod
    def _padded(octets):
        return octets + bytes(-len(octets) % 4)

    def octets(self):
        self.add("TRAILER!!!", 0)
        return b"".join(self.parts)


def write_initrd(path, kernel, busybox, init):
    """busybox, the modules of `kernel` in their order, and the script `init`."""
    archive = Archive()
    for folder in FOLDERS:
        archive.add(folder, stat.S_IFDIR | 0o755)
    for name, source in (("bin/busybox", busybox), ("init", init)):
        with open(source, "rb") as file:
            archive.add(name, stat.S_IFREG | 0o755, file.read())
    for name in sorted(os.listdir(kernel)):
        if name != "vmlinuz":
            with open(os.path.join(kernel, name), "rb") as file:
                archive.add(f"modules/{name}", stat.S_IFREG | 0o644, file.read())
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(archive.octets())
