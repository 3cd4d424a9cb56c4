"""One command in a runner. Descriptor 3 brings a line of JSON (the order), then a line for every new size of the terminal; 0, 1 and 2 are
the command's. Exit status: the command's, 128 + n for signal n, 125 when it could not be begun, with the reason on descriptor 3.
"""

import errno
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import termios

from . import app_environment, root_plan, seccomp, session_place, socket_broker
from .address_holder import AddressHolder
from .callers import OneHolder
from .listener_table import ListenerTable
from .process_tree import allow_many_descriptors, close_descriptors_except, default_signals, die_with_parent, drain, wake_on_signals

_CONTROL = 3
EXIT_NOT_BEGUN = 125
EXIT_NOT_FOUND = 127
_CHUNK_BYTES = 64 << 10
# After the command's end: what it left behind may hold its output open for ever.
_SILENCE_MS = 300
# What Ctrl-D is: a terminal has no other end of input. Said again until it is heard: a shell that changes the mode of its terminal
# at that moment loses it.
_END_OF_INPUT = b"\x04"
_SAY_AGAIN_MS = 500
_STARTED = b"S"
_SHELLS = ("/bin/bash", "/usr/bin/bash", "/bin/sh")


def main():
    lines = _Lines(_CONTROL)
    order = json.loads(lines.wait())
    try:
        return _Session(order, lines).run()
    except (OSError, session_place.NoSuchRunner) as error:
        os.write(_CONTROL, f"{error}\n".encode())
        return EXIT_NOT_BEGUN


class _Lines:
    """Lines of a descriptor, as they come."""

    def __init__(self, fd):
        self._fd = fd
        self._rest = b""

    def wait(self):
        while b"\n" not in self._rest:
            chunk = os.read(self._fd, _CHUNK_BYTES)
            if not chunk:
                raise EOFError("the order ended in the middle")
            self._rest += chunk
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def read(self):
        """Every whole line there is now; None at the end."""
        chunk = os.read(self._fd, _CHUNK_BYTES)
        if not chunk:
            return None
        self._rest += chunk
        return self.left()

    def left(self):
        """Whole lines that came together with earlier ones."""
        *lines, self._rest = self._rest.split(b"\n")
        return lines


class _Session:
    def __init__(self, order, lines):
        self._order = order
        self._lines = lines
        self._broker = None
        self._pending_input = b""
        self._input_is_open = True
        self._status = None

    def run(self):
        order = self._order
        self._wake = wake_on_signals(signal.SIGCHLD)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_terminate)
        namespaces = None
        if order["sandbox"] == "namespaces":
            session_place.join_control_groups(order["initPid"])
            namespaces = session_place.RunnerNamespaces(order["initPid"], order.get("uid"), order.get("gid"))
            namespaces.enter_as_helper()
        pipes = None if order["tty"] else [os.pipe() for _ in range(3)]
        ours, theirs = socket.socketpair()
        self._child = os.fork()
        if self._child == 0:
            ours.close()
            _become_session(order, namespaces, theirs, pipes)
        theirs.close()
        if namespaces is not None:
            namespaces.become_user()  # what is left to do needs no more than that
        self._take_over(ours, pipes)
        return self._relay()

    def _take_over(self, channel, pipes):
        data, fds, _, _ = socket.recv_fds(channel, 4096, 2)
        channel.close()
        if data != _STARTED:
            raise OSError(data.decode() or "the process of the session ended at once")
        if self._order["tty"]:
            master = fds.pop(0)
            # Two numbers, so that each end can be closed by itself.
            self._to_command, self._sources = os.dup(master), {master: 1}
        else:
            for fd in (pipes[0][0], pipes[1][1], pipes[2][1]):
                os.close(fd)
            self._to_command, self._sources = pipes[0][1], {pipes[1][0]: 1, pipes[2][0]: 2}
        os.set_blocking(self._to_command, False)
        if fds:
            allow_many_descriptors()
            holder = AddressHolder(self._order["address"], ListenerTable())
            self._broker = socket_broker.SocketBroker(fds[0], OneHolder(holder))

    def _relay(self):
        control_is_open = True
        self._resize(self._lines.left())
        while self._sources or self._status is None:
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            for fd in self._sources:
                poll.register(fd, select.POLLIN)
            if control_is_open:
                poll.register(_CONTROL, select.POLLIN)
            if self._pending_input:
                poll.register(self._to_command, select.POLLOUT)
            elif self._input_is_open and self._to_command is not None:
                poll.register(0, select.POLLIN)
            says_end = self._order["tty"] and not self._input_is_open and self._status is None
            timeout_ms = _SILENCE_MS if self._status is not None else _SAY_AGAIN_MS if says_end else None
            if self._broker is not None:
                self._broker.register(poll)
                longest_ms = self._broker.longest_wait_ms()
                timeout_ms = min((each for each in (timeout_ms, longest_ms) if each is not None), default=None)
            ready = dict(poll.poll(timeout_ms))
            if not ready and self._status is not None and timeout_ms == _SILENCE_MS:
                break
            if not ready and says_end and timeout_ms == _SAY_AGAIN_MS:
                self._pending_input = self._pending_input or _END_OF_INPUT
            if self._wake in ready:
                drain(self._wake)
                self._collect()
            if control_is_open and _CONTROL in ready:
                lines = self._lines.read()
                control_is_open = lines is not None
                self._resize(lines or ())
            for fd in [fd for fd in self._sources if fd in ready]:
                self._pass_on(fd)
            self._feed(ready)
            if self._broker is not None:
                self._broker.serve(ready)
        return self._status

    def _collect(self):
        try:
            pid, status = os.waitpid(self._child, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
            code = os.waitstatus_to_exitcode(status)
            self._status = code if code >= 0 else 128 - code

    def _pass_on(self, fd):
        try:
            data = os.read(fd, _CHUNK_BYTES)
        except OSError as error:  # a terminal nobody holds open any more
            if error.errno != errno.EIO:
                raise
            data = b""
        if not data:
            os.close(fd)
            del self._sources[fd]
            return
        view = memoryview(data)
        while view:
            view = view[os.write(1 if self._order["tty"] else self._sources[fd], view) :]

    def _feed(self, ready):
        if self._to_command is None:
            return
        if not self._pending_input and self._input_is_open and 0 in ready:
            self._pending_input = os.read(0, _CHUNK_BYTES)
            if not self._pending_input:
                self._end_input()
                return
        if self._pending_input:
            try:
                written = os.write(self._to_command, self._pending_input)
                self._pending_input = self._pending_input[written:]
            except BlockingIOError:
                pass
            except OSError:  # nobody reads it any more
                self._pending_input = b""
                self._input_is_open = False

    def _end_input(self):
        self._input_is_open = False
        if self._order["tty"]:
            self._pending_input = _END_OF_INPUT
            return
        os.close(self._to_command)
        self._to_command = None

    def _resize(self, lines):
        if self._order["tty"] and self._to_command is not None:
            for line in lines:
                _set_size(self._to_command, json.loads(line))

    def _on_terminate(self, _number, _frame):
        try:
            os.killpg(self._child, signal.SIGKILL)
        except OSError:
            pass
        os._exit(128 + signal.SIGKILL)


def _become_session(order, namespaces, channel, pipes):
    """In the forked child; never returns."""
    try:
        default_signals()
        if namespaces is not None:
            namespaces.enter_as_session()
        die_with_parent()
        os.setsid()
        descriptors = []
        if order["tty"]:
            master, slave = os.openpty()
            if order.get("size"):
                _set_size(slave, order["size"])
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            ends = (slave, slave, slave)
            descriptors.append(master)
        else:
            ends = (pipes[0][0], pipes[1][1], pipes[2][1])
        command, environment = _command(order), _environment(order)
        os.chdir(_folder(order, "app", "/app"))
        if order["hasBroker"]:
            descriptors.append(seccomp.install_socket_filter())
        socket.send_fds(channel, [_STARTED], descriptors)
        for number, fd in enumerate(ends):
            os.dup2(fd, number)
        close_descriptors_except()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    except BaseException as error:
        channel.sendall(str(error).encode()[:4000])
        os._exit(EXIT_NOT_BEGUN)
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(EXIT_NOT_FOUND)


def _command(order):
    if order["command"]:
        return [str(word) for word in order["command"]]
    shell = next((path for path in _SHELLS if os.access(path, os.X_OK)), "/bin/sh")
    return [shell, *(["-i"] if order["tty"] else [])]


def _environment(order):
    home, temporary = _folder(order, "home", root_plan.HOME), _folder(order, "tmp", "/tmp")
    result = app_environment.variables(order["env"], order["hostname"], home, temporary, order["prefix"])
    if order["tty"]:
        result.setdefault("TERM", "xterm-256color")
    return result


def _folder(order, name, in_namespaces):
    return in_namespaces if order["sandbox"] == "namespaces" else os.path.join(order["scratchDir"], name)


def _set_size(fd, size):
    try:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size["rows"], size["columns"], 0, 0))
    except (OSError, struct.error, KeyError):
        sys.stderr.write("session: a size of the terminal was not taken\n")
