"""Whether the kernel lets an init make the addresses of its app's sockets right: found by doing it once."""

import os
import select
import signal
import socket
import time

from . import seccomp
from .socket_broker import SocketBroker

# No runner has it, and it collides with nobody: the port is the kernel's choice.
_ADDRESS = "127.31.255.254"
_TIMEOUT_SECONDS = 5


def find_problem(enter_app=lambda: None):
    """None where it works, else what does not, in one line. `enter_app` is what an app process does before it runs the user's code."""
    ours, theirs = socket.socketpair()
    with ours:
        pid = os.fork()
        if pid == 0:
            _be_app(theirs, enter_app)
        theirs.close()
        try:
            ours.settimeout(_TIMEOUT_SECONDS)
            message, fds, _, _ = socket.recv_fds(ours, 1024, 1)
            if not fds:
                return message.decode("utf-8", "replace") or "the trial ended early"
            broker = SocketBroker(fds[0], _ADDRESS, lambda port: None)
            _serve(broker, ours)
            return broker.trouble or ours.recv(1024).decode("utf-8", "replace") or None
        except OSError as error:
            return str(error)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _serve(broker, until_readable):
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        poll = select.poll()
        poll.register(until_readable, select.POLLIN)
        broker.register(poll)
        ready = dict(poll.poll(1000))
        broker.serve(ready)
        if until_readable.fileno() in ready:
            return


def _be_app(report, enter_app):
    try:
        listener = seccomp.install_socket_filter()
        socket.send_fds(report, [b"L"], [listener])
        os.close(listener)
        enter_app()
        with socket.socket() as server, socket.socket() as client:
            server.bind(("0.0.0.0", 0))
            server.listen()
            address, port = server.getsockname()
            client.connect(("127.0.0.1", port))
            if address != _ADDRESS:
                raise OSError(f"a socket was bound to {address}")
    except BaseException as error:
        report.sendall(str(error).encode()[:1000] or b"failed")
    finally:
        os._exit(0)
