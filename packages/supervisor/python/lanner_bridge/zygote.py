"""The zygote: one process per environment that has everything imported and forks runners. It never sees code, arguments or secrets.

It must have one thread and no open connection but its control connection whenever it forks.
"""

import gc
import mmap
import os
import platform
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass

from . import preload, root_plan, runner
from .frames import FrameError, FrameParser, send_frame
from .process_tree import default_signals, drain, reap, wake_on_signals

if sys.platform == "linux":
    # Used by the children only, but a child that imports (and compiles) them loses milliseconds of every start.
    import resource  # noqa: F401

    from . import identity, linux, root_builder  # noqa: F401

PROTOCOL_VERSION = 1
_CONTROL_FD = 3
# Where runners claim their addresses (claimed_address.py).
_CLAIMS_FD = 4
# Children that may be alive at once and still be told apart; more only lose their `child-ended` frame.
_SLOTS = 4096
# A spare costs 50 ms of a core: it is made when nothing has been asked for so long.
_QUIET_MS = 250
# Argument that turns spares off: each holds about 15 MB.
NO_SPARE = "--no-spare"
# Argument for machines whose kernel does not hand over bind, listen and connect: Python's sockets are patched instead.
PYTHON_ADDRESSES = "--python-addresses"


def main():
    """Entry of zygote.py: preload, say so, fork until the control connection ends. Returns the exit status."""
    control = socket.socket(fileno=os.dup(_CONTROL_FD))
    os.close(_CONTROL_FD)
    started = time.monotonic()
    preload.preload()
    gc.collect()
    gc.freeze()
    gc.disable()
    send_frame(
        control,
        {
            "type": "zygote-ready",
            "pid": os.getpid(),
            "protocolVersion": PROTOCOL_VERSION,
            "preloadMs": round((time.monotonic() - started) * 1000, 1),
            "pythonVersion": platform.python_version(),
        },
    )
    has_broker = sys.platform == "linux" and PYTHON_ADDRESSES not in sys.argv[1:]
    return Zygote(control, NO_SPARE not in sys.argv[1:], _CLAIMS_FD if has_broker else None).serve()


@dataclass
class Spare:
    """A runner that was forked before it was asked for."""

    pid: int
    slot: int
    channel: socket.socket

    def is_ready(self):
        try:
            return self.channel.recv(1, socket.MSG_DONTWAIT) == runner.SPARE_READY
        except BlockingIOError:
            return False


class Zygote:
    """The loop: fork requests in, pids and ends of children out. In quiet moments it makes a spare runner."""

    def __init__(self, control, wants_spare, claims_fd):
        self._control = control
        self._parser = FrameParser()
        # One byte per child, shared with it: the child sets it once the supervisor knows it by its `hello`.
        self._connected = mmap.mmap(-1, _SLOTS)
        self._children = {}
        self._next_slot = 0
        self._own_namespace = _own_pid_namespace()
        self._spare = None
        self._wants_spare = wants_spare
        self._claims_fd = claims_fd

    def serve(self):
        wake = wake_on_signals(signal.SIGCHLD)
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        while True:
            needs_spare = self._wants_spare and self._spare is None
            ready = poll.poll(_QUIET_MS if needs_spare else None)
            if not ready and needs_spare:
                self._make_spare()
            for fd, _ in ready:
                if fd == wake:
                    drain(wake)
                    self._collect()
                elif not self._receive():
                    return 0

    def _receive(self):
        try:
            data = self._control.recv(65536)
            headers = list(self._parser.feed(data))
        except (ConnectionError, FrameError) as error:
            sys.stderr.write(f"zygote: the control connection failed: {error}\n")
            return False
        for header in headers:
            if header["type"] == "fork":
                self._fork(header)
        return bool(data)

    def _fork(self, header):
        runner_id = header.get("runnerId")
        try:
            pid, slot = self._use_spare(header) or self._fork_now(header)
        except OSError as error:
            self._send({"type": "fork-failed", "runnerId": runner_id, "message": str(error)})
            return
        self._children[pid] = (runner_id, slot)
        self._send({"type": "forked", "runnerId": runner_id, "pid": pid})

    def _fork_now(self, header):
        slot = self._take_slot()
        pid = self._fork_into_namespace()
        if pid == 0:
            self._become_runner(None, header, slot)
        return pid, slot

    def _make_spare(self):
        ours, theirs = socket.socketpair()
        slot = self._take_slot()
        try:
            pid = self._fork_into_namespace()
        except OSError as error:
            self._give_up_spares(f"cannot be forked: {error}")
            return
        if pid == 0:
            self._become_runner(theirs, None, slot)
        theirs.close()
        self._spare = Spare(pid, slot, ours)

    def _use_spare(self, header):
        """(pid, slot) of the spare, which is on its way now; None when there is none."""
        spare = self._spare
        if spare is None or not spare.is_ready():
            return None
        self._spare = None
        with spare.channel:
            try:
                send_frame(spare.channel, header)
            except ConnectionError:
                return None
        return spare.pid, spare.slot

    def _give_up_spares(self, why):
        self._wants_spare = False
        sys.stderr.write(f"zygote: no spare runners from now on: a spare {why}\n")

    def _take_slot(self):
        slot = self._next_slot
        self._next_slot = (slot + 1) % _SLOTS
        self._connected[slot] = 0
        return slot

    def _fork_into_namespace(self):
        """Fork; where we may, the child is PID 1 of a PID namespace of its own."""
        if self._own_namespace is None:
            return os.fork()
        linux.unshare(linux.CLONE_NEWPID)
        pid = None
        try:
            pid = os.fork()
        finally:
            if pid != 0:
                # A process may unshare its children's namespace only while that is still its own.
                linux.setns(self._own_namespace, linux.CLONE_NEWPID)
        return pid

    def _become_runner(self, channel, header, slot):
        status = 125
        try:
            default_signals()
            is_namespace_init = self._own_namespace is not None
            on_connected = lambda: self._connected.__setitem__(slot, 1)  # noqa: E731
            status = runner.run(channel, header, on_connected, is_namespace_init, self._claims_fd)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)

    def _collect(self):
        for pid, status in reap():
            if self._spare is not None and pid == self._spare.pid:
                self._spare.channel.close()
                self._spare = None
                self._give_up_spares(f"ended by itself (status {status})")
            runner_id, slot = self._children.pop(pid, (None, 0))
            if runner_id is not None and not self._connected[slot]:
                self._send({"type": "child-ended", "runnerId": runner_id, "status": status})

    def _send(self, header):
        try:
            send_frame(self._control, header)
        except ConnectionError:
            pass  # the next read says so


def _own_pid_namespace():
    """A descriptor of this process's PID namespace if it is a zygote in an exec sandbox; None in a process group."""
    if sys.platform != "linux" or not os.path.isdir(root_plan.SANDBOX_MARK):
        return None
    return os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
