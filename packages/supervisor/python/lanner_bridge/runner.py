"""A runner, from the fork to its end: connect, be told what to run, enter the sandbox, become the init that watches the app.

    zygote ── init (this process; PID 1 of its namespace) ── app process
"""

import os
import socket
import time

from . import app_process, runner_sandbox
from .frames import FrameError, receive_frame, send_frame
from .process_tree import become_subreaper, close_descriptors_except, close_to_debuggers
from .runner_init import RunnerInit
from .start_order import StartError, parse_start

EXIT_NO_START = 125


def run(fork, on_connected, is_namespace_init):
    """In the forked child; returns the exit status of the init. `fork` is the header of the zygote's `fork` frame."""
    pid = _pid_for_zygote()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(fork["socket"])
    send_frame(connection, {"type": "hello", "token": fork["token"], "runnerId": fork["runnerId"], "pid": pid})
    on_connected()
    close_descriptors_except(connection.fileno())
    try:
        frame = receive_frame(connection)
    except (ConnectionError, FrameError):
        frame = None
    if frame is None or frame[0]["type"] != "start":
        return EXIT_NO_START
    try:
        order = parse_start(*frame)
        del frame
        place = _enter_sandbox(order, is_namespace_init)
    except (OSError, StartError, KeyError, TypeError, ValueError) as error:
        _give_up(connection, f"the runner's sandbox could not be made: {error}")
        return EXIT_NO_START
    send_frame(connection, {"type": "sandboxed", "isolation": order.sandbox, "pid": pid})
    pipes = app_process.AppPipes.create()
    close_to_debuggers()  # the app must not take over its init
    app = os.fork()
    if app == 0:
        app_process.become(order, place, pipes)
    order = None  # the definitions are the app's now
    pipes.close_app_side()
    return RunnerInit(connection, app, pipes, is_namespace_init).serve()


def _enter_sandbox(order, is_namespace_init):
    if order.sandbox == "process-group":
        become_subreaper()
        return runner_sandbox.enter_process_group(order)
    if not is_namespace_init:
        raise StartError("this zygote was not started in a sandbox, so its runners cannot enter one")
    return runner_sandbox.enter_namespaces(order)


def _pid_for_zygote():
    """This process as the zygote sees it: its /proc shows that namespace, while getpid() may be 1 already."""
    try:
        return int(os.readlink("/proc/self"))
    except (OSError, ValueError):
        return os.getpid()


def _give_up(connection, message):
    log = {"type": "log", "stream": "bridge", "source": "bridge", "level": "error", "line": message}
    try:
        send_frame(connection, {**log, "atMs": round(time.time() * 1000)})
        send_frame(connection, {"type": "exit", "code": EXIT_NO_START, "signal": None})
    except ConnectionError:
        pass
