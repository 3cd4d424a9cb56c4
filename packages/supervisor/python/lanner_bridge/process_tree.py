"""Signals, children and descriptors: the small things that every process of the bridge does the same way."""

import os
import resource
import signal
import sys

EXIT_SANDBOX_FAILED = 121
EXIT_CANNOT_START = 122


def close_descriptors_except(*kept):
    """Close every descriptor above 2 but `kept`."""
    start = 3
    for fd in sorted({fd for fd in kept if fd >= 3}):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, _highest_descriptor())


def _highest_descriptor():
    limit = os.sysconf("SC_OPEN_MAX")
    return max(limit, 1 << 20) if limit > 0 else 1 << 20


def default_signals():
    """Every signal as a fresh program finds it: default handlers, nothing blocked."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def wake_on_signals(*numbers):
    """A non-blocking descriptor that becomes readable when one of the signals arrives, for poll loops."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, _ignore_but_wake)
    return read_end


def _ignore_but_wake(_number, _frame):
    pass


def drain(fd):
    """Empty a non-blocking descriptor; returns what was in it (at most 64 KiB)."""
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return b""


def reap():
    """Collect every child that has ended: a list of (pid, wait status)."""
    ended = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, status))


def allow_many_descriptors():
    """As many as this process may allow itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def has_children():
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def send_signal(pid, number):
    """Signal a process (or, negative, a group) that may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        pass


def kill_descendants(is_namespace_init, group, on_ended):
    """SIGKILL everything this process is responsible for and collect it, telling `on_ended(pid, status)`.

    The init of a PID namespace kills all of it. Otherwise: the group of the program, then, where /proc tells, whatever has been
    handed to this process as subreaper, until nothing is left.
    """
    if group:
        send_signal(-group, signal.SIGKILL)
    if is_namespace_init:
        send_signal(-1, signal.SIGKILL)
    while has_children():
        for pid in _direct_children():
            send_signal(pid, signal.SIGKILL)
        try:
            on_ended(*os.wait())
        except ChildProcessError:
            return


def _direct_children():
    try:
        # As bytes: inside a new root no codec can be imported any more.
        with open("/proc/thread-self/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def become_subreaper():
    """Orphans of this process's descendants become its children (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        from . import linux

        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)


def close_to_debuggers():
    """Other processes of this user cannot read or trace this one (Linux; what is forked from it neither)."""
    _set_dumpable(0)


def open_to_debuggers():
    """Undo `close_to_debuggers`, for a child."""
    _set_dumpable(1)


def _set_dumpable(value):
    if sys.platform == "linux":
        from . import linux

        linux.prctl(linux.PR_SET_DUMPABLE, value)


def die_with_parent():
    """SIGKILL when the parent ends (Linux; elsewhere connections and pipes tell)."""
    if sys.platform == "linux":
        from . import linux

        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
