# packages.py - the kernel, busybox and QEMU for the guest: Debian packages, by name, in a cache.
"""Nothing is installed: packages are downloaded by apt, which checks them against the archive's
signatures, and unpacked in a folder. What is there already is not asked for again."""
import os
import re
import shutil
import subprocess
import tarfile

from initrd import dependencies_of

# Where in a kernel's folder the modules are that the guest may need, and which it loads.
MODULE_FOLDERS = ("drivers/virtio/", "net/9p/", "fs/9p/", "fs/netfs/", "fs/fscache/",
                  "drivers/vfio/", "drivers/uio/", "virt/lib/")
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "vfio_iommu_type1", "vfio_pci", "uio_pci_generic")
LIBRARIES = "lib/x86_64-linux-gnu"


class Missing(Exception):
    """Something that the guest needs is not here and could not be fetched: one line says what."""


def cache_folder():
    given = os.environ.get("POLLUX_NIC_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.abspath(given or os.path.join(base, "pollux-nic"))


def run(command, **options):
    """What the command prints; Missing with its last line of complaint when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).split("\n")
        raise Missing(f"{' '.join(command[:1] + command[-2:])}: {lines[-1]}")
    return done.stdout


class Apt:
    """apt with its own list of sources: the machine's Debian, and that release's backports."""

    def __init__(self, folder):
        self.folder = folder
        self.release = ""
        self.is_updated = False

    def options(self):
        settings = {"Dir::Etc::sourcelist": f"{self.folder}/sources.list",
                    "Dir::Etc::sourceparts": "-", "Dir::State::lists": f"{self.folder}/lists",
                    "Dir::Cache": f"{self.folder}/cache", "APT::Sandbox::User": "root"}
        return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def update(self):
        if self.is_updated:
            return
        if not shutil.which("apt-get"):
            raise Missing("there is no apt-get here: the guest is made of Debian packages")
        os.makedirs(f"{self.folder}/lists/partial", exist_ok=True)
        os.makedirs(f"{self.folder}/cache/archives/partial", exist_ok=True)
        with open(f"{self.folder}/sources.list", "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in self.sources()))
        run(["apt-get", *self.options(), "-qq", "--error-on=any", "update"])
        self.is_updated = True

    def sources(self):
        """The lines of the machine's own Debian mirrors, one more for the backports."""
        shown = run(["apt-get", "indextargets", "--format",
                     "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"])
        with open("/etc/os-release", encoding="utf-8") as file:
            self.release = re.search(r"^VERSION_CODENAME=(\w+)", file.read(), re.M).group(1)
        keys = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
        own = [line.split() for line in shown.splitlines()
               if re.match(rf"\S+/debian\S* {self.release}(-\w+)? main$", line)]
        main = [uri for uri, release, _ in own if release == self.release]
        if not main:
            raise Missing(f"apt knows no mirror of Debian {self.release}")
        own.append([main[0], f"{self.release}-backports", "main"])
        return [f"deb {keys} {' '.join(one)}" for one in own]

    def dependency(self, package, pattern):
        """The name that `package` depends on and that looks like `pattern`."""
        shown = run(["apt-cache", *self.options(), "depends", package])
        found = re.search(rf"Depends: ({pattern})", shown)
        if not found:
            raise Missing(f"{package} depends on no {pattern}")
        return found.group(1)

    def missing_packages(self, package, release):
        """name=version of what an installation of `package` from `release` would bring."""
        shown = run(["apt-get", *self.options(), "-s", "--no-install-recommends", "-t", release,
                     "install", package])
        return [f"{name}={version}" for name, version in
                re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", shown, re.M)]

    def download(self, names, folder):
        run(["apt-get", *self.options(), "-qq", "download", *names], cwd=folder)
        return sorted(os.path.join(folder, name) for name in os.listdir(folder)
                      if name.endswith(".deb"))


class Packages:
    def __init__(self):
        self.folder = cache_folder()
        self.apt = Apt(os.path.join(self.folder, "apt"))

    def fetched(self, name, fill):
        """The folder `name` of the cache; made by `fill(folder)`, whole or not at all."""
        folder = os.path.join(self.folder, name)
        if os.path.isdir(folder):
            return folder
        making = f"{folder}.{os.getpid()}"
        try:
            os.makedirs(making)
            self.apt.update()
            fill(making)
            os.rename(making, folder)
        except (OSError, Missing) as error:
            if not os.path.isdir(folder):  # another run may have been faster
                raise Missing(f"{folder} is not there and cannot be fetched: {error}") from error
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return folder

    def kernel(self):
        """A folder with `vmlinuz` and the modules, `order` is in which to load them."""
        return self.fetched("kernel", self._fill_kernel)

    def busybox(self):
        return os.path.join(self.fetched("busybox", self._fill_busybox), "bin/busybox")

    def qemu(self, backports):
        """(command, environment) of a QEMU: the distribution's, or a newer one of its backports."""
        installed = shutil.which("qemu-system-x86_64")
        if installed and not backports:
            return [installed], {}
        name = "qemu-backports" if backports else "qemu"
        root = self.fetched(name, lambda folder: self._fill_qemu(folder, backports))
        command = [f"{root}/usr/bin/qemu-system-x86_64"]
        for top in (root, ""):
            for data in ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"):
                command += ["-L", f"{top}/{data}"]
        return command, {"LD_LIBRARY_PATH": f"{root}/usr/{LIBRARIES}:{root}/{LIBRARIES}",
                         "QEMU_MODULE_DIR": f"{root}/usr/{LIBRARIES}/qemu"}

    def _fill_busybox(self, folder):
        for package in self.apt.download(["busybox-static"], folder):
            run(["dpkg-deb", "-x", package, folder])
            os.remove(package)

    def _fill_qemu(self, folder, backports):
        release = self.apt.release + ("-backports" if backports else "")
        names = self.apt.missing_packages("qemu-system-x86", release)
        if not names:  # it is installed
            os.makedirs(f"{folder}/usr/bin")
            os.symlink(shutil.which("qemu-system-x86_64"), f"{folder}/usr/bin/qemu-system-x86_64")
            return
        for package in self.apt.download(names, folder):
            run(["dpkg-deb", "-x", package, folder])
            os.remove(package)

    def _fill_kernel(self, folder):
        name = self.apt.dependency("linux-image-amd64", r"linux-image-\d\S+")
        package = self.apt.download([name], folder)[0]
        modules = {}
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package],
                              stdout=subprocess.PIPE) as unpacking:
            with tarfile.open(fileobj=unpacking.stdout, mode="r|") as tar:
                for member in tar:
                    self._keep(tar, member, folder, modules)
        os.remove(package)
        if unpacking.returncode != 0 or not os.path.exists(f"{folder}/vmlinuz"):
            raise Missing(f"{name} has no kernel in it")
        order = []
        for module in MODULES:
            self._add_module(module, modules, order)
        for module in order:
            with open(f"{folder}/{module}.ko", "wb") as file:
                file.write(modules[module])
        with open(f"{folder}/order", "w", encoding="utf-8") as file:
            file.write("".join(f"{module}.ko\n" for module in order))

    @staticmethod
    def _keep(tar, member, folder, modules):
        if re.search(r"/boot/vmlinuz-", member.name):
            with open(f"{folder}/vmlinuz", "wb") as file:
                shutil.copyfileobj(tar.extractfile(member), file)
        inside = re.search(r"/lib/modules/[^/]+/kernel/(.*?)([^/]+)\.ko$", member.name)
        if inside and inside.group(1).startswith(MODULE_FOLDERS):
            modules[inside.group(2).replace("-", "_")] = tar.extractfile(member).read()

    def _add_module(self, name, modules, order):
        if name in order:
            return
        if name not in modules:
            raise Missing(f"the kernel's package has no module {name}")
        for other in dependencies_of(modules[name]):
            self._add_module(other, modules, order)
        order.append(name)
