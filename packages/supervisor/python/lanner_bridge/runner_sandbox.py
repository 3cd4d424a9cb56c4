"""The runner's sandbox, made by the forked child from inside its zygote's."""

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass

from . import root_plan
from .start_order import StartError, parse_start

# An order that asks for nothing, for a spare runner to practise with.
EXAMPLE_ORDER = parse_start({"callable": {"kind": "entrypoint", "entrypoint": "os:getpid"}}, b"")


@dataclass
class Place:
    """Where the app finds itself afterwards."""

    app_dir: str
    home: str
    temporary: str
    ca_bundle: object


def enter_first_namespaces():
    """Mount, IPC and UTS namespaces, before the app process is forked: it shares them. The caller is PID 1 of its namespace already."""
    from . import linux

    linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)


def enter_root(order):
    """The allow-list root, for every process of the mount namespace; no capability is left to this one."""
    from . import linux, root_builder

    linux.set_hostname(order.hostname)
    root_builder.enter_root(plan_root(order), lambda new, old: _copy_files(order.files, old, new + "/app"))
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.drop_all_capabilities()
    return Place("/app", root_plan.HOME, "/tmp", "/etc/lanner/ca-bundle.pem" if order.ca_bundle else None)


def drop_privileges():
    """For the app process: nothing is left of the zygote's powers.

    A user namespace of its own: process limits count per runner, and the zygote's is out of reach. The init stays in the zygote's,
    without a capability in it; being the user who owns the app's, it may look into the app's processes, and they not into it.
    """
    from . import identity, linux

    identity.enter_user_namespace()
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.drop_all_capabilities()


def plan_root(order):
    """The plan of a runner's root."""
    plan = root_plan.runner_root(order.hostname, order.address, order.memory_mib)
    # First, because an environment may lie below /tmp.
    _writable_folders(plan, order)
    _interpreter(plan)
    for path in order.read_only_binds:
        plan.bind(path)
    if order.ca_bundle:
        plan.bind(order.ca_bundle, root_plan.LINKED_FILES["/etc/lanner/ca-bundle.pem"])
    _data(plan, order)
    return plan


def enter_process_group(order):
    """No isolation but a session of its own; the app's files lie in the scratch folder."""
    scratch = order.scratch_dir or tempfile.mkdtemp(prefix="lanner-runner-")
    place = Place(*(os.path.join(scratch, name) for name in ("app", "home", "tmp")), order.ca_bundle)
    for folder in (place.app_dir, place.home, place.temporary):
        os.makedirs(folder, exist_ok=True)
    _copy_files(order.files, "", place.app_dir)
    return place


def _interpreter(plan):
    for source, target in root_plan.interpreter_binds(sys.executable):
        plan.bind(source, target)
    for prefix in (sys.prefix, sys.base_prefix):
        if not root_plan.is_below(prefix, "/usr"):
            plan.bind(prefix)


def _writable_folders(plan, order):
    folders = (("/app", "app"), ("/tmp", "tmp"), (root_plan.HOME, "home"))
    for target, name in folders:
        if order.scratch_dir:
            source = os.path.join(order.scratch_dir, name)
            os.makedirs(source, exist_ok=True)
            plan.bind(source, target, read_only=False)
        else:
            plan.tmpfs(target, 0o755, order.memory_mib)


def _data(plan, order):
    if not order.data_dir:
        return
    if not order.data_mounts or "" in order.data_mounts:
        plan.bind(order.data_dir, "/data", read_only=False)
        return
    for relative in order.data_mounts:
        plan.bind_fd(_open_below(order.data_dir, relative), f"/data/{relative}", read_only=False)


def _open_below(folder, relative):
    """A descriptor of a folder below `folder`, made when missing. Never follows a link: the account's code writes there."""
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in relative.split("/"):
        try:
            os.mkdir(part, 0o755, dir_fd=fd)
        except FileExistsError:
            pass
        try:
            inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        except OSError as error:
            raise StartError(f"the data mount /data/{relative} is not a folder: {error.strerror}") from None
        finally:
            os.close(fd)
        fd = inner
    return fd


def _copy_files(files, old_root, app_dir):
    for source, relative, mode in files:
        target = os.path.join(app_dir, relative)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(old_root + source, target)
        os.chmod(target, mode)
