"""The Linux system calls that Python does not offer, through ctypes. Every failure is an OSError that names the call."""

import ctypes
import os
import platform
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
# One number on every architecture since Linux 5.12; pivot_root is older and differs.
_SYS_MOUNT_SETATTR = 442
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217, "armv7l": 218}
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63

_libc = ctypes.CDLL(None, use_errno=True)
_machine = platform.machine()


def _check(result, call, *about):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}({', '.join(map(str, about))}): {os.strerror(number)}")
    return result


def _bytes(path):
    return None if path is None else os.fsencode(path)


def unshare(flags):
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare", hex(flags))


def setns(fd, kind):
    _check(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)), "setns", hex(kind))


def mount(source, target, kind=None, flags=0, data=None):
    result = _libc.mount(_bytes(source), _bytes(target), _bytes(kind), ctypes.c_ulong(flags), _bytes(data))
    _check(result, "mount", source, target, kind or hex(flags))


def unmount(target, flags=MNT_DETACH):
    _check(_libc.umount2(_bytes(target), ctypes.c_int(flags)), "umount2", target)


def pivot_root(new_root, put_old):
    number = _SYS_PIVOT_ROOT.get(_machine)
    if number is None:
        raise OSError(f"pivot_root is not known for {_machine} machines")
    _check(_libc.syscall(ctypes.c_long(number), _bytes(new_root), _bytes(put_old)), "pivot_root", new_root)


def restrict_mount(target, attributes, recursive=True):
    """Add MOUNT_ATTR_* to the mount at `target` and, by default, to all mounts below it (mount_setattr, Linux 5.12)."""
    request = struct.pack("QQQQ", attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_long(_AT_FDCWD),
        _bytes(target),
        ctypes.c_ulong(flags),
        request,
        ctypes.c_size_t(len(request)),
    )
    _check(result, "mount_setattr", target, hex(attributes))


def prctl(option, *arguments):
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return _check(_libc.prctl(ctypes.c_int(option), *padded), "prctl", option, *arguments)


def set_process_name(name):
    """What `ps` and `top` show for this process, at most 15 bytes."""
    buffer = ctypes.create_string_buffer(name.encode()[:15])
    _check(_libc.prctl(ctypes.c_int(PR_SET_NAME), buffer, 0, 0, 0), "prctl", "PR_SET_NAME")


def set_hostname(name):
    raw = name.encode()
    _check(_libc.sethostname(raw, ctypes.c_size_t(len(raw))), "sethostname", name)


def set_capabilities(effective, permitted, inheritable):
    """Set the three capability sets of this thread, each a bit mask of 64 bits."""
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    low, high = 0xFFFFFFFF, 32
    data = struct.pack(
        "6I",
        effective & low,
        permitted & low,
        inheritable & low,
        effective >> high,
        permitted >> high,
        inheritable >> high,
    )
    _check(_libc.capset(header, data), "capset", hex(permitted))


def get_capabilities():
    """(effective, permitted, inheritable) of this thread."""
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    buffer = ctypes.create_string_buffer(24)
    _check(_libc.capget(header, buffer), "capget")
    low = struct.unpack("6I", buffer.raw)
    return tuple(low[index] | low[index + 3] << 32 for index in range(3))


def drop_all_capabilities():
    """No capability is left, and none can come back through an exec (bounding set, when this process may empty it)."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    drop_all_capabilities_on_exec()
    set_capabilities(0, 0, 0)


def drop_all_capabilities_on_exec():
    """Empty the bounding set: this process keeps what it has, but nothing comes back through an exec."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # EINVAL: beyond the last one this kernel knows; EPERM: not ours to drop


def keep_capabilities_over_exec():
    """Make every permitted capability survive an exec by a user who is not root (ambient set)."""
    _, permitted, _ = get_capabilities()
    set_capabilities(permitted, permitted, permitted)
    for capability in range(_LAST_CAPABILITY + 1):
        if permitted >> capability & 1:
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def system_call(name, number, *arguments):
    """A system call that the C library has no function for. Numbers are passed as 64 bits, bytes as a pointer to them."""
    padded = [argument if argument is None or isinstance(argument, (bytes, ctypes.Array)) else ctypes.c_long(argument) for argument in arguments]
    return _check(_libc.syscall(ctypes.c_long(number), *padded), name)
