"""A runner, from the fork to its end: connect, be told what to run, enter the sandbox, become the init that watches the app.

    zygote ── init (this process; PID 1 of its namespace) ── app process

Both processes exist before it is known what they will run. So a zygote can keep a spare runner: forked, its memory touched, waiting.
"""

import dataclasses
import os
import socket
import time

from . import app_process, runner_sandbox
from .claimed_address import ClaimedAddress
from .frames import FrameError, receive_frame, send_frame
from .process_tree import become_subreaper, close_descriptors_except, close_to_debuggers
from .runner_init import RunnerInit
from .start_order import StartError, parse_start

EXIT_NO_START = 125
# What a spare says to its zygote.
SPARE_READY = b"R"


def run(channel, fork, on_connected, is_namespace_init, claims_fd):
    """In the forked child; returns the exit status of the init.

    `fork` is the header of the zygote's `fork` frame; a spare has None and waits for it on `channel`, a socket to the zygote.
    `claims_fd`: where it claims its address; None where the kernel does not help with addresses.
    """
    close_descriptors_except(*([channel.fileno()] if channel else []), *([] if claims_fd is None else [claims_fd]))
    pid = _pid_for_zygote()
    if is_namespace_init:
        runner_sandbox.enter_first_namespaces()
    pipes = app_process.AppPipes.create()
    app = os.fork()
    if app == 0:
        app_process.become(pipes, is_spare=fork is None, has_broker=claims_fd is not None)
    pipes.close_app_side()
    if fork is None:
        _touch_memory(is_namespace_init)
        fork = _wait_for_fork(channel, pipes)
        if fork is None:
            return 0
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(fork["socket"])
    send_frame(connection, {"type": "hello", "token": fork["token"], "runnerId": fork["runnerId"], "pid": pid})
    on_connected()
    try:
        frame = receive_frame(connection)
    except (ConnectionError, FrameError):
        frame = None
    if frame is None or frame[0]["type"] != "start":
        return EXIT_NO_START
    header, payload = frame
    try:
        order = parse_start(header, payload)
        claimed = None if claims_fd is None else ClaimedAddress(claims_fd, order.address, header.pop("addressProof", ""))
        pipes.wait_for_app()  # the root must not change under its feet
        place = _enter_sandbox(order, is_namespace_init)
        send_frame(connection, {"type": "sandboxed", "isolation": order.sandbox, "pid": pid})
        close_to_debuggers()  # the app must not take over its init
        if claimed:
            claimed.wait()
        send_frame(pipes.orders, {**header, "place": dataclasses.asdict(place)}, payload)
    except (OSError, StartError, KeyError, TypeError, ValueError) as error:
        _give_up(connection, f"the runner's sandbox could not be made: {error}{pipes.last_words()}")
        return EXIT_NO_START
    pipes.orders.close()
    address = order.address
    del order, frame, payload  # the definitions are the app's now
    return RunnerInit(connection, app, pipes, is_namespace_init, address, claimed).serve()


def _wait_for_fork(channel, pipes):
    """Tell the zygote that this spare is ready; the fork header it was waiting for, or None when its zygote has ended."""
    pipes.wait_for_app()
    channel.sendall(SPARE_READY)
    frame = receive_frame(channel)
    channel.close()
    return frame and frame[0]


def _touch_memory(is_namespace_init):
    """Do once, to no effect, what a start will do: a page that a fork shares is copied when it is first touched, which costs time."""
    if is_namespace_init:
        runner_sandbox.plan_root(runner_sandbox.EXAMPLE_ORDER)


def _enter_sandbox(order, is_namespace_init):
    if order.sandbox == "process-group":
        become_subreaper()
        return runner_sandbox.enter_process_group(order)
    if not is_namespace_init:
        raise StartError("this zygote was not started in a sandbox, so its runners cannot enter one")
    return runner_sandbox.enter_root(order)


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
