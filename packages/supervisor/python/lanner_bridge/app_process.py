"""The app process: a clean Python process around one callable. Nothing here returns to the zygote's code."""

import gc
import os
import random
import signal
import socket
import sys
import tempfile
import time
import types
from dataclasses import dataclass

from . import addresses, app_environment, app_reports, callables, outcome, platform_hosts, preload, request_labels, runner_sandbox
from .frames import receive_frame
from .process_tree import close_descriptors_except, default_signals, die_with_parent, open_to_debuggers
from .start_order import parse_start

_MAX_PROCESSES = 8192
_APP_READY = b"R"


@dataclass
class AppPipes:
    """What connects the app process with its init."""

    stdout: int
    stderr: int
    control: socket.socket
    app_stdout: int
    app_stderr: int
    app_control: socket.socket
    # The init sends the start frame through it, once.
    orders: socket.socket
    app_orders: socket.socket
    # What lines with labels begin with (request_labels.py): nothing that is printed by accident.
    mark: bytes
    _app_is_ready: bool = False

    @staticmethod
    def create():
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        control, app_control = socket.socketpair()
        orders, app_orders = socket.socketpair()
        mark = b"\0" + os.urandom(8).hex().encode() + b"\0"
        return AppPipes(out_read, err_read, control, out_write, err_write, app_control, orders, app_orders, mark)

    def close_app_side(self):
        os.close(self.app_stdout)
        os.close(self.app_stderr)
        self.app_control.close()
        self.app_orders.close()

    def wait_for_app(self):
        """In the init: until the app process waits for its order. ConnectionError when it has ended instead."""
        if not self._app_is_ready:
            if self.orders.recv(1) != _APP_READY:
                raise ConnectionError("the app process ended before it was told what to run")
            self._app_is_ready = True

    def last_words(self):
        """What a process that ended early wrote to its standard error, for the message about it."""
        os.set_blocking(self.stderr, False)
        try:
            return "\n" + os.read(self.stderr, 8192).decode("utf-8", "replace")
        except BlockingIOError:
            return ""


def become(pipes, is_spare, has_broker):
    """In the forked child: prepare the process, wait for the order, run the callable, report, exit. Never returns.

    `has_broker`: the init of the zygote's sandbox makes its sockets' addresses right (sandbox_sockets.py); else Python's own are patched.
    """
    try:
        _prepare_process(pipes)
        if is_spare:
            # A page that a fork shares is copied when it is first touched. What an app will touch is touched now.
            preload.rehearse()
        pipes.app_orders.sendall(_APP_READY)
        order, place = _receive_order(pipes.app_orders)
        if order.sandbox == "namespaces":
            runner_sandbox.drop_privileges()
        die_with_parent()  # a change of credentials clears it
        _prepare_python(order, place)
        control = pipes.app_control
        if not has_broker:
            addresses.install(order.address, lambda port: _report_listening(control, order.address, port))
        request_labels.install(pipes.mark)
        platform_hosts.install(os.environ)
        _limit_processes(order)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(_run(order, control))


def _receive_order(orders):
    frame = receive_frame(orders)
    orders.close()
    if frame is None:
        os._exit(0)  # the init has ended, or could not make the sandbox
    header, payload = frame
    return parse_start(header, payload), runner_sandbox.Place(**header["place"])


def _run(order, control):
    """Run the callable and report its outcome; returns the exit status."""
    app_reports.send_report(control, {"type": "setup"})
    # isolate answers an entry point with plain pickle, and a function with the method it came by.
    method = "pickle" if order.entrypoint else order.function[0]
    result = outcome.capture(lambda: callables.call(order, on_loaded=gc.enable), method)
    if result.failure_log:
        _report_log(control, result.failure_log)
    _flush_standard_streams()
    app_reports.send_report(control, result.header, result.payload)
    _run_exit_handlers()
    return result.exit_code


def _prepare_process(pipes):
    open_to_debuggers()
    default_signals()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    os.dup2(pipes.app_stdout, 1)
    os.dup2(pipes.app_stderr, 2)
    # Sockets of the init are closed as numbers; their objects must not close somebody else's number later.
    pipes.control.detach()
    pipes.orders.detach()
    die_with_parent()
    close_descriptors_except(pipes.app_control.fileno(), pipes.app_orders.fileno())


def _prepare_python(order, place):
    # The root is the runner's own by now; what was opened before is another root's.
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.environ.clear()
    os.environ.update(app_environment.variables(order.env, order.hostname, place.home, place.temporary, sys.prefix))
    if "TZ" in os.environ:
        time.tzset()
    os.chdir(place.app_dir)
    main = types.ModuleType("__main__")
    main.__builtins__ = __builtins__
    sys.modules["__main__"] = main
    sys.argv = [""]
    sys.path += [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if order.entrypoint or place.app_dir != "/app":
        sys.path.append(place.app_dir)
    tempfile.tempdir = None
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _limit_processes(order):
    """A fork bomb hits this limit first. Only where the kernel counts per user namespace; elsewhere all of a user's processes count."""
    if order.sandbox != "namespaces" or _kernel_version() < (5, 14):
        return
    import resource

    resource.setrlimit(resource.RLIMIT_NPROC, (_MAX_PROCESSES, _MAX_PROCESSES))


def _kernel_version():
    major, minor, *_ = os.uname().release.split(".")
    return int(major), int("".join(character for character in minor if character.isdigit()) or 0)


def _report_listening(control, address, port):
    app_reports.send_report(control, {"type": "listening", "port": port, "address": address})


def _report_log(control, text):
    for line in text.splitlines():
        header = {"type": "log", "stream": "bridge", "source": "bridge", "level": "error", "line": line[:16384]}
        app_reports.send_report(control, {**header, "atMs": round(time.time() * 1000)})


def _flush_standard_streams():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # the app may have closed or replaced it


def _run_exit_handlers():
    import atexit

    try:
        atexit._run_exitfuncs()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    _flush_standard_streams()
