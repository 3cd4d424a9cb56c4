"""Who makes a call that a broker was handed: the thread's number tells under which holder's address (address_holder.py) it lives.

Asked while the caller waits. Afterwards the broker makes sure that it still does, so no number can have become somebody else's meanwhile.
"""

import fcntl
import os

from .socket_calls import CallerGone, status_number

_NS_GET_PARENT = 0xB702
_MAX_ANCESTORS = 100_000  # more than a process namespace holds by default


class OneHolder:
    """Everybody under one address."""

    def __init__(self, holder):
        self._holder = holder

    def of(self, thread):
        return self._holder


class HoldersByNamespace:
    """By PID namespace: who was born in a runner's cannot leave it. Everybody else is in this process's own, and belongs to `base`."""

    def __init__(self, base):
        self._holders = {os.stat("/proc/self/ns/pid").st_ino: base}
        # Held open, so that its number cannot become another namespace's.
        self._held = {}

    def of(self, thread):
        try:
            holder = self._holders.get(os.stat(f"/proc/{thread}/ns/pid").st_ino)
            return holder or self._of_ancestors(_open_namespace(thread))
        except OSError as error:
            raise CallerGone(f"thread {thread}: {error.strerror}") from None

    def _of_ancestors(self, fd):
        """A program in a runner may make PID namespaces below its own."""
        while True:
            try:
                parent = fcntl.ioctl(fd, _NS_GET_PARENT)
            finally:
                os.close(fd)
            fd = parent
            holder = self._holders.get(_identity(fd))
            if holder is not None:
                os.close(fd)
                return holder

    def add(self, pid, holder):
        """From now on the PID namespace of `pid`, and all below, is `holder`'s. Returns a key for `remove`. OSError: it cannot be."""
        fd = _open_namespace(pid)
        key = _identity(fd)
        if key in self._holders:
            os.close(fd)
            raise PermissionError(f"process {pid} has an address already")
        self._holders[key], self._held[key] = holder, fd
        return key

    def remove(self, key):
        del self._holders[key]
        os.close(self._held.pop(key))


class HoldersByAncestor:
    """Without namespaces: by the nearest ancestor that is known. Orphans become children of the init of their runner."""

    def __init__(self, base):
        self._base = base
        self._holders = {}

    def of(self, thread):
        if not self._holders:
            return self._base
        pid = status_number(thread, b"Tgid:")
        for _ in range(_MAX_ANCESTORS):
            if pid in self._holders:
                return self._holders[pid]
            if pid <= 1 or pid == os.getpid():
                return self._base
            pid = status_number(pid, b"PPid:")
        raise CallerGone(f"thread {thread} has no end of ancestors")

    def add(self, pid, holder):
        if pid in self._holders:
            raise PermissionError(f"process {pid} has an address already")
        self._holders[pid] = holder
        return pid

    def remove(self, key):
        del self._holders[key]


def _open_namespace(pid):
    return os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)


def _identity(fd):
    return os.fstat(fd).st_ino
