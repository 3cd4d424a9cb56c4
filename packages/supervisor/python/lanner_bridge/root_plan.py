"""What a sandbox sees: an allow-list of the host's files. This file decides; root_builder.py mounts.

A plan is a list of steps. Steps look at the host (or at the exec sandbox they run in) before anything is mounted, and name every
source by its real path, because absolute symbolic links mean something else once the root is another one.
"""

import glob
import os
from dataclasses import dataclass, field

HOME = "/home/lanner"
USER_NAME = "lanner"
# Exists in every sandbox root, and nowhere else.
SANDBOX_MARK = "/run/lanner"
# Made by the launcher as links into /run, so that a runner can give its own answer without another mount.
LINKED_FILES = {
    "/etc/hosts": "/run/lanner/hosts",
    "/etc/hostname": "/run/lanner/hostname",
    "/etc/lanner/ca-bundle.pem": "/run/lanner/ca-bundle.pem",
}

_SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
# Public parts of /etc. Nothing that names this machine's users, services or secrets.
_ETC = (
    "alternatives", "ca-certificates", "crypto-policies", "debian_version", "fonts", "gai.conf", "glvnd", "ld.so.cache",
    "ld.so.conf", "ld.so.conf.d", "locale.alias", "localtime", "magic", "mime.types", "nvidia", "OpenCL", "os-release",
    "pki/ca-trust", "pki/tls/cert.pem", "pki/tls/certs", "protocols", "resolv.conf", "services", "ssl/cert.pem",
    "ssl/certs", "ssl/openssl.cnf", "static/ssl", "timezone", "vulkan",
)  # fmt: skip
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_GPU_DEVICES = ("/dev/nvidia*", "/dev/dri", "/dev/kfd", "/dev/accel*", "/dev/infiniband")
_SYS_ALWAYS = ("/sys/devices/system/cpu", "/sys/devices/system/node")
_SYS_WITH_GPU = ("/sys/devices", "/sys/bus", "/sys/class", "/sys/module", "/sys/dev")


@dataclass(frozen=True)
class Step:
    """`kind`: bind, bind_fd, device, tmpfs, proc, devpts, directory, symlink, file."""

    kind: str
    target: str
    source: object = None
    read_only: bool = True
    optional: bool = False
    options: str = ""


@dataclass
class RootPlan:
    """Steps in the order in which they are carried out."""

    steps: list = field(default_factory=list)
    # (uid, gid) of what is created, when the builder is another user (real root).
    owner: tuple = None

    def bind(self, source, target=None, read_only=True, optional=False):
        """Show `source` of the host at `target`. A missing source is an error of the builder, unless optional."""
        target = os.path.normpath(target or source)
        if not os.path.isabs(target) or target == "/":
            raise ValueError(f"a bind needs an absolute target below the root, not {target!r}")
        if not (read_only and self._covers(source, target)):
            self.steps.append(Step("bind", target, os.path.realpath(source), read_only, optional))

    def bind_fd(self, fd, target, read_only):
        """Show the folder behind an open descriptor: no path is looked up again, so no link can lead elsewhere."""
        self.steps.append(Step("bind_fd", target, fd, read_only))

    def device(self, path):
        self.steps.append(Step("device", path, os.path.realpath(path), read_only=False))

    def tmpfs(self, target, mode=0o755, size_mib=None):
        options = f"mode={mode:o}" + (f",size={size_mib}m" if size_mib else "")
        if self.owner:
            options += f",uid={self.owner[0]},gid={self.owner[1]}"
        self.steps.append(Step("tmpfs", target, options=options))

    def directory(self, target):
        self.steps.append(Step("directory", target, self.owner))

    def symlink(self, content, target):
        self.steps.append(Step("symlink", target, content))

    def file(self, target, text):
        self.steps.append(Step("file", target, text))

    def proc(self):
        self.steps.append(Step("proc", "/proc"))

    def devpts(self):
        self.steps.append(Step("devpts", "/dev/pts"))

    def _covers(self, source, target):
        """Already visible through an earlier read-only bind of the same tree."""
        if os.path.realpath(source) != target:
            return False
        return any(
            step.kind == "bind" and step.read_only and step.source == step.target and is_below(target, step.target)
            for step in self.steps
        )


def is_below(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def exec_root(uid, gid, hostname):
    """The root of a build or a zygote, planned on the host."""
    plan = RootPlan(owner=(uid, gid) if os.geteuid() == 0 and uid != 0 else None)
    _system_folders(plan)
    plan.tmpfs("/tmp", 0o1777)
    plan.tmpfs("/run")
    _etc(plan, uid, gid)
    plan.file("/run/lanner/hosts", hosts_file(hostname, "127.0.0.1"))
    plan.file("/run/lanner/hostname", hostname + "\n")
    plan.file("/run/lanner/ca-bundle.pem", "")
    _dev(plan)
    plan.proc()
    gpu = any(glob.glob(pattern) for pattern in _GPU_DEVICES)
    for folder in _SYS_WITH_GPU if gpu else _SYS_ALWAYS:
        plan.bind(folder, optional=True)
    plan.directory(HOME)
    return plan


def runner_root(hostname, address, memory_mib=None):
    """The root of a runner, planned inside its zygote's root: the same system, but /tmp, /run, /proc and the terminals anew."""
    plan = RootPlan()
    _system_folders(plan)
    plan.tmpfs("/run", size_mib=memory_mib)
    plan.bind("/etc")
    plan.file("/run/lanner/hosts", hosts_file(hostname, address))
    plan.file("/run/lanner/hostname", hostname + "\n")
    plan.bind("/dev")
    plan.devpts()
    plan.tmpfs("/dev/shm", 0o1777, memory_mib)
    plan.proc()
    plan.bind("/sys", optional=True)
    return plan


def hosts_file(hostname, address):
    return f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{address} {hostname}\n"


def interpreter_binds(executable):
    """Folders that a Python interpreter of the host needs, as (source, target): every prefix on its chain of symbolic links.

    `<env>/bin/python` → `~/.local/share/uv/python/cpython-3.11/bin/python3.11` → …: each prefix appears under the name by
    which the next link names it. Prefixes below /usr are there anyway.
    """
    found = []
    for prefix in _prefixes(executable):
        if prefix not in ("/", "/usr", "/usr/local") and os.path.isdir(prefix):
            found.append((prefix, prefix))
            real = os.path.realpath(prefix)
            if real != prefix:
                found.append((real, real))
        found += [(home, home) for home in _venv_homes(prefix)]
    unique = dict.fromkeys(found)
    return [pair for pair in unique if not is_below(pair[1], "/usr")]


def interpreter_link_binds(link, interpreters):
    """More names for the folders of `interpreters`, as a link to one of them uses them.

    Whoever built the environment can have made its `bin/python` a link to anywhere, so nothing is shown that is not shown already.
    """
    shown = {os.path.realpath(source) for source, _ in interpreters}
    return [(real, prefix) for prefix in _prefixes(link) if (real := os.path.realpath(prefix)) in shown and prefix != real]


def _prefixes(executable):
    """The prefix of an interpreter, and those of what it is a link to."""
    path = os.path.normpath(executable)
    for _ in range(40):
        yield os.path.dirname(os.path.dirname(path))
        if not os.path.islink(path):
            return
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))


def _venv_homes(prefix):
    try:
        with open(os.path.join(prefix, "pyvenv.cfg"), encoding="utf-8") as config:
            lines = [line.partition("=") for line in config]
    except OSError:
        return []
    homes = [value.strip() for key, _, value in lines if key.strip() == "home"]
    return [os.path.dirname(home) for home in homes if os.path.dirname(home) not in ("", "/")]


def _system_folders(plan):
    for folder in _SYSTEM_FOLDERS:
        if os.path.islink(folder):
            plan.symlink(os.readlink(folder), folder)
        elif os.path.isdir(folder):
            plan.bind(folder)


def _etc(plan, uid, gid):
    plan.file("/etc/passwd", f"{USER_NAME}:x:{uid}:{gid}:Lanner:{HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    plan.file("/etc/group", f"{USER_NAME}:x:{gid}:\nnogroup:x:65534:\n")
    plan.file("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    for name in _ETC:
        plan.bind(f"/etc/{name}", optional=True)
    for target, content in LINKED_FILES.items():
        plan.symlink(content, target)


def _dev(plan):
    plan.tmpfs("/dev")
    for name in _DEVICES:
        plan.device(f"/dev/{name}")
    for pattern in _GPU_DEVICES:
        for path in glob.glob(pattern):
            plan.device(path)
    plan.devpts()
    plan.tmpfs("/dev/shm", 0o1777)
    plan.symlink("pts/ptmx", "/dev/ptmx")
    plan.symlink("/proc/self/fd", "/dev/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        plan.symlink(f"/proc/self/fd/{number}", f"/dev/{name}")
