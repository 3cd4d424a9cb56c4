"""Which isolation a machine offers, found by doing it once."""

import json
import os
import selectors
import subprocess
import sys
import time

_SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "launcher.py")
# An id that no account of this machine has; only whether root may become somebody else matters.
_PROBE_UID = 2_000_000
_TIMEOUT_SECONDS = 20
# The inner program does what a zygote's child does: namespaces again, a /proc of its own, an app whose sockets are handed over.
_INNER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from lanner_bridge import broker_trial, identity, linux, root_builder, root_plan

own = os.open("/proc/self/ns/pid", os.O_RDONLY)
linux.unshare(linux.CLONE_NEWPID)
pid = os.fork()
if pid:
    linux.setns(own, linux.CLONE_NEWPID)
if pid == 0:
    try:
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
        root_builder.enter_root(root_plan.runner_root("probe", "127.0.0.1"))
        identity.enter_user_namespace()
        linux.drop_all_capabilities()
        print("addresses:", broker_trial.find_problem() or "", flush=True)
        os._exit(0)
    except BaseException as error:
        print(error, file=sys.stderr, flush=True)
    os._exit(1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
# For plain processes.
_INNER_OF_GROUP = """
import sys
sys.path.insert(0, sys.argv[1])
from lanner_bridge import broker_trial
print("addresses:", broker_trial.find_problem() or "")
"""


def probe():
    """An answer as README.md says. Enters the namespaces for real, about 50 ms."""
    if sys.platform != "linux":
        reason = f"{sys.platform} has no namespaces; runners are plain processes"
        return _answer("process-group", reason, False, f"{sys.platform} has no seccomp")
    is_root = os.geteuid() == 0
    failure, addresses = _try(_PROBE_UID if is_root else None)
    if failure is None:
        who = "an account's own user" if is_root else "this user"
        return _answer("namespaces", f"user, mount, PID, IPC and UTS namespaces work, as {who}", is_root, addresses)
    if is_root:
        second_failure, addresses = _try(None)
        if second_failure is None:
            return _answer("namespaces", f"namespaces work, but only as the same user ({failure})", False, addresses)
    no_broker, addresses = _launch({"sandbox": "process-group"}, _INNER_OF_GROUP)
    return _answer("process-group", f"namespaces do not work here: {failure}", False, no_broker or addresses)


def _answer(level, reason, own_uid, addresses_problem):
    covered = "kernel" if addresses_problem is None else "python"
    return {"level": level, "reason": reason, "ownUid": own_uid, "addresses": covered, "addressesReason": addresses_problem or ""}


def _try(uid):
    """(what went wrong in one line or None, what is wrong with addresses in one line or None)."""
    spec = {
        "keepCapabilities": True,
        "interpreters": [sys.executable],
        "binds": [{"source": os.path.dirname(_SCRIPT)}],
    }
    if uid is not None:
        spec["uid"] = uid
    failure, addresses = _launch(spec, _INNER)
    if failure is None:
        return None, addresses
    # Perhaps only the filter cannot be installed.
    failure_without, _ = _launch(spec, _INNER, has_address=False)
    return failure_without, failure


def _launch(spec, program, has_address=True):
    """Run a program in the exec sandbox; the same pair."""
    from .broker_trial import TRIAL_ADDRESS

    spec = {**spec, "argv": [sys.executable, "-I", "-S", "-B", "-c", program, os.path.dirname(_SCRIPT)], "env": {}}
    if has_address:
        spec["address"] = TRIAL_ADDRESS
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", _SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
    )
    with child.stdin, child.stdout, child.stderr:
        try:
            # The pipe stays open: its end would end the probe.
            child.stdin.write(json.dumps(spec).encode() + b"\n")
            child.stdin.flush()
            output, errors = _read_to_end((child.stdout, child.stderr), time.monotonic() + _TIMEOUT_SECONDS)
        except OSError as error:
            child.kill()
            child.wait()
            return f"the probe did not end ({type(error).__name__})", None
        status = child.wait()
        lines = errors.strip().splitlines()
    if status == 0:
        return None, output.partition("addresses:")[2].strip() or None
    return (lines[-1] if lines else f"the probe ended with status {status}").removeprefix("lanner-launcher: "), None


def _read_to_end(pipes, until):
    """What all of them say, as text, once everybody has closed them: `wait` with a limit would look twenty times a second only."""
    said = {pipe: b"" for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(until - time.monotonic())
            if not ready and time.monotonic() >= until:
                raise TimeoutError
            for key, _ in ready:
                piece = os.read(key.fd, 65536)
                said[key.fileobj] += piece
                if not piece:
                    selector.unregister(key.fileobj)
    return [text.decode("utf-8", "replace") for text in said.values()]
