"""Plays the supervisor: starts launchers and zygotes, accepts runners, speaks the bridge. For tests and benchmarks."""

import functools
import hmac
import json
import os
import pickle
import queue
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON_DIR = os.path.dirname(HERE)
sys.path.insert(0, PYTHON_DIR)

from lanner_bridge.frames import receive_frame, send_frame  # noqa: E402
from lanner_bridge.probe import probe  # noqa: E402

TIMEOUT_SECONDS = 20
ACCOUNT_UID = 2_000_123


def launch(spec, control=None, uid=None):
    """Start launcher.py with a spec; the Popen's stdin is the lifeline."""
    command = [python_for(uid) if uid is not None else sys.executable, "-I", "-S", "-B", os.path.join(PYTHON_DIR, "launcher.py")]
    if control is not None:
        # Popen cannot renumber descriptors.
        renumber = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.closerange(4, 100); os.execv(sys.argv[2], sys.argv[2:])"
        command = [command[0], "-I", "-S", "-c", renumber, str(control.fileno()), *command]
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[control.fileno()] if control is not None else [],
        env={"PATH": "/usr/bin:/bin"},
        user=uid,
        group=uid,
        extra_groups=[] if uid is not None else None,
    )
    child.stdin.write(json.dumps(spec).encode() + b"\n")
    child.stdin.flush()
    return child


@functools.cache
def problem_with_kernel_addresses():
    """Why this kernel cannot help with addresses, or None."""
    return probe()["addressesReason"] or None


def any_address():
    """An address of a runner, most likely nobody's: what ran a moment ago still holds its ports for a while."""
    return f"127.{random.randint(32, 223)}.{random.randint(0, 255)}.{random.randint(1, 254)}"


class FakeSupervisor:
    """One zygote and its runners. `own_uid`: accounts have their own uid (root only). `python_addresses`: default where the kernel cannot help."""

    def __init__(self, python=sys.executable, sandbox="namespaces", own_uid=None, uid=None, extra_binds=(), python_addresses=None, env=()):
        self.folder = tempfile.mkdtemp(prefix="lanner-bridge-test-")
        self.sandbox = sandbox
        self.python = python
        # Of the zygote itself.
        self.address = any_address()
        self.address_key = secrets.token_hex(32)
        self.account_uid = ACCOUNT_UID if own_uid else uid
        self.socket_dir = self._folder("sockets")
        self.data_dir = self._folder("data")
        self.scratch = self._folder("scratch")
        os.chmod(self.folder, 0o700)
        if uid is not None:
            os.chown(self.folder, uid, uid)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(self.socket_dir, "runners.sock"))
        os.chmod(os.path.join(self.socket_dir, "runners.sock"), 0o666)
        self.listener.listen(64)
        self._waiting = {}
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        self.control, theirs = socket.socketpair()
        spec = {
            "argv": [python, os.path.join(PYTHON_DIR, "zygote.py")],
            "env": {
                "PATH": f"{os.path.dirname(python)}:/usr/bin:/bin",
                "HOME": "/home/lanner",
                "LANG": "C.UTF-8",
                "PYTHONUNBUFFERED": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                **dict(env),
            },
            "sandbox": sandbox,
            "interpreters": [python],
            "binds": [
                {"source": PYTHON_DIR},
                {"source": self.socket_dir},
                {"source": self.data_dir, "readOnly": False},
                {"source": self.scratch, "readOnly": False},
                *extra_binds,
            ],
            "keepCapabilities": True,
            "waitForAll": True,
            "passControl": True,
        }
        if problem_with_kernel_addresses() if python_addresses is None else python_addresses:
            spec["argv"].append("--python-addresses")
        else:
            spec.update(address=self.address, addressKey=self.address_key)
        if own_uid:
            spec["uid"] = ACCOUNT_UID
        self.launcher = launch(spec, theirs, uid)
        theirs.close()
        self.control.settimeout(TIMEOUT_SECONDS)
        try:
            self.ready = receive_frame(self.control)[0]
        except Exception:
            self.launcher.stdin.close()
            self.launcher.wait(TIMEOUT_SECONDS)
            raise RuntimeError(f"no zygote: {self.launcher.stderr.read().decode()}") from None

    def _folder(self, name):
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        if self.account_uid is not None:
            os.chown(path, self.account_uid, self.account_uid)
        return path

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            hello, _ = receive_frame(connection)
            self._waiting[hello["token"]].put((connection, hello))

    def fork(self, runner_id):
        """Ask for a runner; returns its token at once."""
        token = secrets.token_hex(8)
        self._waiting[token] = queue.Queue()
        path = os.path.join(self.socket_dir, "runners.sock")
        send_frame(self.control, {"type": "fork", "runnerId": runner_id, "socket": path, "token": token})
        return token

    def connect(self, token):
        """The connection and hello of a forked runner."""
        return self._waiting[token].get(timeout=TIMEOUT_SECONDS)

    def start(self, definition=b"", entrypoint=None, address=None, runner_id="runner-1", scratch=True, **fields):
        """Fork and start; returns the Runner."""
        token = self.fork(runner_id)
        connection, hello = self.connect(token)
        address = address or any_address()
        call = {"kind": "entrypoint", "entrypoint": entrypoint} if entrypoint else None
        setup = fields.pop("setup", None)
        call = call or {"kind": "serialized", "method": fields.pop("method", "pickle"), "definitionBytes": len(definition)}
        if setup is not None:
            call["setup"] = {"method": "pickle", "definitionBytes": len(setup)}
        header = {
            "type": "start",
            "runnerId": runner_id,
            "address": address,
            "addressProof": hmac.digest(self.address_key.encode(), address.encode(), "sha256").hex(),
            "hostname": f"host-{runner_id}",
            "callable": call,
            "runOnMainThread": True,
            "env": {},
            "files": [],
            "dataDir": self.data_dir,
            "dataMounts": [],
            "limits": {"memoryMiB": 1024, "cpus": 1},
            "sandbox": self.sandbox,
            **fields,
        }
        if scratch:
            path = os.path.join(self.scratch, f"{runner_id}-{token}")
            os.mkdir(path)
            if self.account_uid is not None:
                os.chown(path, self.account_uid, self.account_uid)
            header["scratchDir"] = path
        send_frame(connection, header, (setup or b"") + definition)
        return Runner(connection, hello)

    def close(self):
        self.control.close()
        self.launcher.stdin.close()
        self.launcher.wait(TIMEOUT_SECONDS)
        self.launcher.stdout.close()
        self.launcher.stderr.close()
        self.listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Runner:
    """What came from one runner, frame by frame."""

    def __init__(self, connection, hello):
        self.connection = connection
        self.hello = hello
        self.frames = []
        self.lines = []
        connection.settimeout(TIMEOUT_SECONDS)

    def next(self):
        frame = receive_frame(self.connection)
        if frame is None:
            raise EOFError("the runner closed the connection")
        header, payload = frame
        self.frames.append(header)
        if header["type"] == "log":
            self.lines.append(header["line"])
        return header, payload

    def until(self, kind):
        """Read until a frame of this type; returns (header, payload)."""
        while True:
            header, payload = self.next()
            if header["type"] == kind:
                return header, payload
            if header["type"] == "exit":
                raise AssertionError(f"no {kind}: {self.frames[-20:]}")

    def until_line(self, line):
        while line not in self.lines:
            if self.next()[0]["type"] == "exit":
                raise AssertionError(f"no line {line!r}: {self.frames[-20:]}")

    def value(self):
        """The unpickled value of the result frame."""
        header, payload = self.until("result")
        assert not header["wasRaised"] and "failure" not in header, header
        return pickle.loads(payload)

    def exit(self):
        header, _ = self.until("exit")
        self.connection.close()
        return header

    def send(self, **header):
        send_frame(self.connection, header)

    def close(self):
        self.connection.close()


class _Source:
    def __init__(self, source):
        self.source = source

    def __reduce__(self):
        return eval, ("(lambda names: (exec(source, names), names['main'])[1])({})".replace("source", repr(self.source)),)


def function(source):
    """The pickle of a function `main` given as source; needs nothing but the standard library to load."""
    return pickle.dumps(_Source(textwrap.dedent(source)))


def python_for(uid):
    """An interpreter that this user can start, or None."""
    for path in dict.fromkeys((sys.executable, "/usr/bin/python3")):
        code = "import sys; sys.exit(sys.version_info < (3, 10))"
        try:
            if subprocess.run([path, "-I", "-c", code], user=uid, group=uid, extra_groups=[], cwd="/").returncode == 0:
                return path
        except OSError:
            continue
    return None


def wait_until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"never: {what}")
        time.sleep(0.005)
