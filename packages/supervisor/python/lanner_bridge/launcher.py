"""The exec sandbox: runs one program (a build, a zygote) in namespaces of its own, or in a process group where there are none.

    launcher (this process; outside) ── init (PID 1 inside) ── program

The launcher holds the lifeline (descriptor 0) and the exit status; the init reaps, passes signals on, and dies with the launcher.
"""

import fcntl
import json
import os
import select
import signal
import socket
import sys

from .launch_spec import SpecError, parse_spec
from .process_tree import EXIT_SANDBOX_FAILED, default_signals, drain, wake_on_signals

EXIT_SPEC_WRONG = 120
_MAX_SPEC_BYTES = 4 << 20
_FIRST_FREE_FD = 10
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main():
    """Entry of launcher.py: read the spec, launch, wait; returns the exit status."""
    os.umask(0o022)
    try:
        spec = parse_spec(_read_line(0))
        if spec.pass_control and not _is_open(3):
            raise SpecError("passControl is true, but descriptor 3 is not open")
    except SpecError as error:
        return _fail(EXIT_SPEC_WRONG, str(error))
    wake = wake_on_signals(*_PASSED_ON, signal.SIGCHLD)
    ours, theirs = _control_sockets()
    try:
        init = _start_init(spec, theirs)
    except OSError as error:
        return _fail(EXIT_SANDBOX_FAILED, f"no namespaces for the program: {error}")
    theirs.close()
    if spec.pass_control:
        os.close(3)
    return _watch(spec, init, ours, wake)


def _control_sockets():
    """Ours, and the init's, behind a number that no program is given."""
    ours, theirs = socket.socketpair()
    with theirs:
        return ours, socket.socket(fileno=fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD))


def _start_init(spec, control):
    """Fork the init. In namespaces mode the child is PID 1 of a new PID namespace."""
    from . import exec_init

    if spec.sandbox == "namespaces":
        exec_init.enter_outer_namespaces(spec)
    pid = os.fork()
    if pid == 0:
        status = EXIT_SANDBOX_FAILED
        try:
            default_signals()
            status = exec_init.run(spec, control)
        except BaseException as error:
            exec_init.report_failure(control, EXIT_SANDBOX_FAILED, f"{type(error).__name__}: {error}")
        finally:
            os._exit(status)
    return pid


def _watch(spec, init, control, wake):
    """Until the init ends: lifeline, signals, reports."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(wake, select.POLLIN)
    poll.register(control, select.POLLIN)
    reports = b""
    while True:
        for fd, _ in poll.poll():
            if fd == 0 and os.read(0, 65536) == b"":
                poll.unregister(0)
                # The kernel ends a namespace with its init; a process group must be ended by it.
                if spec.sandbox == "namespaces":
                    os.kill(init, signal.SIGKILL)
                else:
                    control.shutdown(socket.SHUT_WR)
            elif fd == wake:
                for number in drain(wake):
                    if number in _PASSED_ON:
                        control.send(bytes([number]), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            elif fd == control.fileno():
                chunk = control.recv(65536)
                reports += chunk
                if not chunk:
                    poll.unregister(control)
        pid, status = os.waitpid(init, os.WNOHANG)
        if pid:
            control.setblocking(False)
            while chunk := _receive(control):
                reports += chunk
            return _exit_status(reports, status)


def _receive(control):
    try:
        return control.recv(65536)
    except OSError:
        return b""


def _exit_status(reports, init_status):
    """The program's status as the init reported it; otherwise what became of the init."""
    found = {}
    for line in reports.splitlines():
        found.update(json.loads(line))
    if "error" in found:
        return _fail(found["code"], found["error"])
    return _shell_status(found.get("ended", init_status))


def _shell_status(wait_status):
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


def _is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _read_line(fd):
    data = b""
    while b"\n" not in data:
        chunk = os.read(fd, 65536)
        if not chunk:
            raise SpecError("descriptor 0 ended before a whole line was read")
        data += chunk
        if len(data) > _MAX_SPEC_BYTES:
            raise SpecError(f"the spec is longer than {_MAX_SPEC_BYTES} bytes")
    return data.partition(b"\n")[0]


def _fail(code, message):
    sys.stderr.write(f"lanner-launcher: {message}\n")
    sys.stderr.flush()
    return code
