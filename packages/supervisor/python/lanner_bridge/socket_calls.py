"""System calls on the sockets of other processes: fetch a descriptor, read the caller's memory, bind, connect, listen with raw addresses.

They return an errno (0: done) where the answer goes to the caller of the original call, and raise OSError where it is our own matter.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct

from . import linux

_SYS_PIDFD_OPEN, _SYS_PIDFD_GETFD = 434, 438  # the same on every architecture
_PIDFD_THREAD = os.O_EXCL  # Linux 6.9
_MAX_ADDRESS_BYTES = 128  # sizeof(struct sockaddr_storage): the kernel refuses more

_libc = ctypes.CDLL(None, use_errno=True)
_process_vm_readv = _libc.process_vm_readv
_process_vm_readv.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_ulong]
_process_vm_readv.restype = ctypes.c_ssize_t
for _call in (_libc.bind, _libc.connect):
    _call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
_libc.getsockopt.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p]
_libc.getsockname.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p]


class CallerGone(Exception):
    """The process cannot be looked into: it has ended, or it does not let anybody."""


def read_address(thread, pointer, length):
    """The address that a caller passes: bytes, or an errno."""
    if length == 0:
        return b""
    if length > _MAX_ADDRESS_BYTES:
        return errno.EINVAL
    buffer = ctypes.create_string_buffer(length)
    local = struct.pack("PL", ctypes.addressof(buffer), length)
    if _process_vm_readv(thread, local, 1, struct.pack("PL", pointer, length), 1, 0) == length:
        return buffer.raw
    number = ctypes.get_errno()
    if number in (errno.ESRCH, errno.EPERM):
        raise CallerGone(f"process_vm_readv: {os.strerror(number)}")
    return errno.EFAULT


def fetch_descriptor(thread, number):
    """Our own descriptor of what is behind the caller's `number`. OSError EBADF when nothing is."""
    process = _open_process(thread)
    try:
        return linux.system_call("pidfd_getfd", _SYS_PIDFD_GETFD, process, number, 0)
    except (ProcessLookupError, PermissionError) as error:
        raise CallerGone(str(error)) from None
    finally:
        os.close(process)


def _open_process(thread):
    try:
        return linux.system_call("pidfd_open", _SYS_PIDFD_OPEN, thread, _PIDFD_THREAD)
    except ProcessLookupError as error:
        raise CallerGone(str(error)) from None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    # An older kernel: by the process. Threads share descriptors unless a program goes out of its way.
    try:
        return linux.system_call("pidfd_open", _SYS_PIDFD_OPEN, process_of(thread), 0)
    except ProcessLookupError as error:
        raise CallerGone(str(error)) from None


def process_of(thread):
    """The process of a thread."""
    return status_number(thread, b"Tgid:")


def status_number(thread, field):
    """A number that /proc tells of a thread, e.g. `PPid:`."""
    try:
        with open(f"/proc/{thread}/status", "rb") as file:
            return int(next(line.split()[1] for line in file if line.startswith(field)))
    except (OSError, StopIteration):
        raise CallerGone(f"thread {thread} has ended") from None


def is_close_on_exec(thread, number):
    try:
        with open(f"/proc/{thread}/fdinfo/{number}", "rb") as file:
            flags = next((line.split()[1] for line in file if line.startswith(b"flags:")), b"0")
    except OSError:
        return False
    return bool(int(flags, 8) & os.O_CLOEXEC)


def has_signal(thread):
    """A signal waits for this thread that it neither blocks nor ignores."""
    try:
        with open(f"/proc/{thread}/status", "rb") as file:
            fields = dict(line.split(b":", 1) for line in file)
        own, shared, blocked, ignored = (int(fields[name], 16) for name in (b"SigPnd", b"ShdPnd", b"SigBlk", b"SigIgn"))
    except (OSError, KeyError, ValueError):
        return False
    return bool((own | shared) & ~blocked & ~ignored)


class HeldSocket:
    """A socket of a caller, held by a descriptor of our own: what the caller does to its number meanwhile changes nothing here."""

    def __init__(self, fd):
        self.fd = fd
        self.domain = self.option(socket.SOL_SOCKET, socket.SO_DOMAIN)

    @property
    def is_internet(self):
        return self.domain in (socket.AF_INET, socket.AF_INET6)

    @property
    def kind(self):
        return self.option(socket.SOL_SOCKET, socket.SO_TYPE)

    @property
    def is_blocking(self):
        return not fcntl.fcntl(self.fd, fcntl.F_GETFL) & os.O_NONBLOCK

    @property
    def send_timeout_seconds(self):
        """SO_SNDTIMEO; 0: none."""
        seconds, microseconds = struct.unpack("ll", self._option_bytes(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16))
        return seconds + microseconds / 1e6

    def option(self, level, name):
        """An option that is an int. OSError ENOTSOCK for what is no socket."""
        return struct.unpack("i", self._option_bytes(level, name, 4))[0]

    def set_option(self, level, name, value):
        """Set an int option; False where it cannot be set (any more)."""
        return _libc.setsockopt(self.fd, level, name, struct.pack("i", value), 4) == 0

    def _option_bytes(self, level, name, size):
        buffer = ctypes.create_string_buffer(size)
        if _libc.getsockopt(self.fd, level, name, buffer, struct.pack("I", size)) < 0:
            raise OSError(ctypes.get_errno(), "getsockopt")
        return buffer.raw

    def name(self):
        """The raw address it is bound to."""
        buffer = ctypes.create_string_buffer(_MAX_ADDRESS_BYTES)
        length = struct.pack("I", _MAX_ADDRESS_BYTES)
        if _libc.getsockname(self.fd, buffer, length) < 0:
            raise OSError(ctypes.get_errno(), "getsockname")
        return buffer.raw[: struct.unpack("I", length)[0]]

    def bind(self, address):
        return _errno(_libc.bind(self.fd, address, len(address)))

    def listen(self, backlog):
        return _errno(_libc.listen(self.fd, backlog))

    def connect(self, address):
        """Never waits: EINPROGRESS, or EAGAIN of a Unix socket, where a blocking socket would.

        Its description is made non-blocking for that moment. Whoever shares it sees that; nobody reads or writes an unconnected socket.
        """
        flags = fcntl.fcntl(self.fd, fcntl.F_GETFL)
        if flags & os.O_NONBLOCK:
            return _errno(_libc.connect(self.fd, address, len(address)))
        fcntl.fcntl(self.fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        result = _errno(_libc.connect(self.fd, address, len(address)))
        fcntl.fcntl(self.fd, fcntl.F_SETFL, flags)
        return result

    def close(self):
        os.close(self.fd)


def _errno(result):
    return ctypes.get_errno() if result < 0 else 0
