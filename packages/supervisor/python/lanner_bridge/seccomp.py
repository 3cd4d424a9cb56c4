"""A seccomp filter that hands some system calls of a process, and of all its descendants, to another process.

The filter is data for the kernel (classic BPF). It sees numbers and plain arguments of a call, never memory. What it hands over arrives
at a *listener*, a descriptor that another process reads: the caller waits meanwhile. Constants: linux/seccomp.h, linux/filter.h,
linux/audit.h, and the tables of system calls of each architecture.
"""

import ctypes
import errno
import fcntl
import os
import platform
import struct
from dataclasses import dataclass

from . import linux

_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_GET_NOTIF_SIZES = 3
_FLAG_SPEC_ALLOW = 1 << 2  # without it older kernels slow the whole process down (a mitigation that is not wanted here)
_FLAG_NEW_LISTENER = 1 << 3
_FLAG_WAIT_KILLABLE = 1 << 5

_RET_ALLOW = 0x7FFF0000
_RET_NOTIFY = 0x7FC00000
_RET_ERRNO = 0x00050000
_ERESTARTSYS = 512

_LOAD, _EQUALS, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_MSG_FASTOPEN = 0x20000000
_X32_BIT = 0x40000000

_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_RESPONSE = struct.Struct("=QqiI")
_ADD_DESCRIPTOR = struct.Struct("=QIIII")
_IOCTL_RECEIVE = 0xC0502100
_IOCTL_SEND = 0xC0182101
_IOCTL_IS_VALID = 0x40082102
_IOCTL_ADD_DESCRIPTOR = 0x40182103
_CONTINUE = 1
_ADD_AT_NUMBER = 1


@dataclass(frozen=True)
class Calls:
    """Numbers of one architecture. `foreign`: of the 32-bit programs that its kernel runs too, (arch, calls refused)."""

    arch: int
    seccomp: int
    bind: int
    listen: int
    connect: int
    sendto: int
    sendmsg: int
    sendmmsg: int
    userfaultfd: int
    foreign: tuple


_CALLS = {
    "x86_64": Calls(0xC000003E, 317, 49, 50, 42, 44, 46, 307, 323, (0x40000003, (102, 345, 359, 361, 362, 363, 369, 370, 425))),
    "aarch64": Calls(0xC00000B7, 277, 200, 201, 203, 206, 211, 269, 282, (0x40000028, (102, 281, 282, 283, 284, 290, 296, 374, 425))),
}
_IO_URING_SETUP = 425  # the same everywhere; io_uring binds and connects without a system call that a filter sees

calls = _CALLS.get(platform.machine())


def socket_filter(numbers):
    """The program: bind, listen and connect are handed over; what would get around that is refused; all else runs as ever.

    Refused: io_uring and x32 (ENOSYS), userfaultfd (ENOSYS: a program could make whoever reads its memory wait), TCP Fast Open through a
    send (EOPNOTSUPP: it connects), sockets of 32-bit programs (EPERM).
    """
    foreign_arch, foreign_calls = numbers.foreign
    foreign = [(_LOAD, 0, 0, _NUMBER_AT)]
    for number in foreign_calls:
        foreign += [(_EQUALS, 0, 1, number), (_RETURN, 0, 0, _RET_ERRNO | errno.EPERM)]
    foreign.append((_RETURN, 0, 0, _RET_ALLOW))
    program = [(_LOAD, 0, 0, _ARCH_AT), (_EQUALS, 0, len(foreign), foreign_arch), *foreign]
    program += [(_EQUALS, 1, 0, numbers.arch), (_RETURN, 0, 0, _RET_ERRNO | errno.ENOSYS), (_LOAD, 0, 0, _NUMBER_AT)]
    if numbers.arch == _CALLS["x86_64"].arch:
        program += [(_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, _RET_ERRNO | errno.ENOSYS)]
    for number in (numbers.bind, numbers.listen, numbers.connect):
        program += [(_EQUALS, 0, 1, number), (_RETURN, 0, 0, _RET_NOTIFY)]
    for number in (_IO_URING_SETUP, numbers.userfaultfd):
        program += [(_EQUALS, 0, 1, number), (_RETURN, 0, 0, _RET_ERRNO | errno.ENOSYS)]
    for number, flags in ((numbers.sendto, 3), (numbers.sendmsg, 2), (numbers.sendmmsg, 3)):
        program += [(_EQUALS, 0, 4, number), (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * flags), (_HAS_BITS, 0, 1, _MSG_FASTOPEN)]
        program += [(_RETURN, 0, 0, _RET_ERRNO | errno.EOPNOTSUPP), (_RETURN, 0, 0, _RET_ALLOW)]
    program.append((_RETURN, 0, 0, _RET_ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def install_socket_filter():
    """Filter this process (one thread) for good; returns the listener. OSError where the kernel cannot."""
    if calls is None:
        raise OSError(f"seccomp: {platform.machine()} machines are not known here")
    sizes = ctypes.create_string_buffer(6)
    _seccomp(_SECCOMP_GET_NOTIF_SIZES, 0, sizes)
    if struct.unpack("3H", sizes.raw)[:2] != (_NOTIFICATION.size, _RESPONSE.size):
        raise OSError("seccomp: this kernel's notifications have another shape")
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    program = socket_filter(calls)
    instructions = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    flags = _FLAG_NEW_LISTENER | _FLAG_SPEC_ALLOW
    return _seccomp(_SECCOMP_SET_MODE_FILTER, flags | (_FLAG_WAIT_KILLABLE if holds_callers() else 0), head)


def holds_callers():
    """From Linux 5.19 a signal cannot interrupt a call once it has been received; before, the caller may make a call again that was made."""
    try:
        _seccomp(_SECCOMP_SET_MODE_FILTER, _FLAG_NEW_LISTENER | _FLAG_WAIT_KILLABLE, None)
    except OSError as error:
        return error.errno == errno.EFAULT  # the flags are known; the program that is missing was looked for
    return False


def _seccomp(operation, flags, argument):
    return linux.system_call("seccomp", calls.seccomp, operation, flags, argument)


@dataclass(slots=True)
class Notification:
    """One waiting call: who (`thread`, a number of the reader's PID namespace, 0 when it is in another) and what."""

    id: int
    thread: int
    number: int
    arguments: tuple


class Listener:
    """Reads waiting calls and answers them. Every answer may come too late: the caller can be gone, or interrupted by a signal."""

    def __init__(self, fd):
        self._fd = fd

    def fileno(self):
        return self._fd

    def close(self):
        os.close(self._fd)

    def receive(self):
        """The next waiting call, or None when its caller is gone. Call it when the listener is readable, else it blocks."""
        buffer = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self._fd, _IOCTL_RECEIVE, buffer, True)
        except OSError:
            return None
        identity, thread, _flags, number, _arch, _pointer, *arguments = _NOTIFICATION.unpack(buffer)
        return Notification(identity, thread, number, tuple(arguments))

    def is_waiting(self, notification):
        """False: the caller is gone, and its numbers may be somebody else's by now."""
        try:
            fcntl.ioctl(self._fd, _IOCTL_IS_VALID, struct.pack("=Q", notification.id))
        except OSError:
            return False
        return True

    def answer(self, notification, error=0):
        """End the call: 0, or an errno. False: too late."""
        return self._send(notification, -error, 0)

    def restart(self, notification):
        """Let the caller's pending signal be handled, then the call be made again or end with EINTR, as the program wants it."""
        return self._send(notification, -_ERESTARTSYS, 0)

    def let_run(self, notification):
        """Let the kernel do the call as if nothing had been. It reads the caller's memory again: never decide by content and then do this."""
        return self._send(notification, 0, _CONTINUE)

    def _send(self, notification, error, flags):
        try:
            fcntl.ioctl(self._fd, _IOCTL_SEND, _RESPONSE.pack(notification.id, 0, error, flags))
        except OSError:
            return False
        return True

    def put_descriptor(self, notification, ours, theirs, close_on_exec):
        """Put our descriptor behind the caller's number `theirs`, whatever was there."""
        flags = os.O_CLOEXEC if close_on_exec else 0
        fcntl.ioctl(self._fd, _IOCTL_ADD_DESCRIPTOR, _ADD_DESCRIPTOR.pack(notification.id, _ADD_AT_NUMBER, ours, theirs, flags))
