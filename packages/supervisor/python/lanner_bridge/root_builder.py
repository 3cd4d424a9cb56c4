"""Carries out a root plan in a fresh mount namespace and makes the result the root. Nothing of the old root stays mounted."""

import os
import stat

from . import linux

_OLD = "/old"
_NEW = "/new"


def enter_root(plan, before_leaving=None):
    """Replace the root of this mount namespace by what `plan` says.

    Needs CAP_SYS_ADMIN over the mount namespace, which must be this process's own. `before_leaving(new, old)` may fill the
    new root (prefix `new`) from the old one (prefix `old`) while both are visible.
    """
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    # A stage with both roots side by side, so that no source is hidden by what is being built.
    linux.mount("tmpfs", "/tmp", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755")
    os.mkdir("/tmp" + _OLD)
    os.mkdir("/tmp" + _NEW)
    linux.pivot_root("/tmp", "/tmp" + _OLD)
    os.chdir("/")
    linux.mount("tmpfs", _NEW, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755")
    for step in plan.steps:
        _STEPS[step.kind](step, _NEW + step.target)
    if before_leaving:
        before_leaving(_NEW, _OLD)
    os.chdir(_NEW)
    linux.pivot_root(".", ".")
    # The stage, with the old root in it, lies on top of the new root now.
    linux.unmount(".")
    os.chdir("/")


def _bind(step, target):
    source = _OLD + step.source
    try:
        is_folder = stat.S_ISDIR(os.stat(source).st_mode)
    except OSError as error:
        if step.optional:
            return
        raise OSError(error.errno, f"cannot show {step.source} at {step.target}: {os.strerror(error.errno)}") from None
    _make_mount_point(target, is_folder)
    linux.mount(source, target, None, linux.MS_BIND | linux.MS_REC)
    read_only = linux.MOUNT_ATTR_RDONLY if step.read_only else 0
    # Device nodes below /dev (bound as a whole from an exec sandbox) must stay usable.
    no_devices = 0 if step.target == "/dev" else linux.MOUNT_ATTR_NODEV
    linux.restrict_mount(target, read_only | linux.MOUNT_ATTR_NOSUID | no_devices)


def _bind_fd(step, target):
    _make_mount_point(target, is_folder=True)
    os.fchdir(step.source)
    linux.mount(".", target, None, linux.MS_BIND | linux.MS_REC)
    os.chdir("/")
    read_only = linux.MOUNT_ATTR_RDONLY if step.read_only else 0
    linux.restrict_mount(target, read_only | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV)


def _device(step, target):
    source = _OLD + step.source
    try:
        is_folder = stat.S_ISDIR(os.stat(source).st_mode)
    except OSError:
        return
    _make_mount_point(target, is_folder)
    linux.mount(source, target, None, linux.MS_BIND | linux.MS_REC)
    linux.restrict_mount(target, linux.MOUNT_ATTR_NOSUID)


def _tmpfs(step, target):
    os.makedirs(target, exist_ok=True)
    linux.mount("tmpfs", target, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, step.options)


def _proc(step, target):
    os.makedirs(target, exist_ok=True)
    linux.mount("proc", target, "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)


def _devpts(step, target):
    os.makedirs(target, exist_ok=True)
    linux.mount("devpts", target, "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")


def _directory(step, target):
    os.makedirs(target, exist_ok=True)
    if step.source:
        os.chown(target, *step.source)


def _symlink(step, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.symlink(step.source, target)


def _file(step, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "w", encoding="utf-8") as file:
        file.write(step.source)


def _make_mount_point(target, is_folder):
    if is_folder:
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


_STEPS = {
    "bind": _bind,
    "bind_fd": _bind_fd,
    "device": _device,
    "tmpfs": _tmpfs,
    "proc": _proc,
    "devpts": _devpts,
    "directory": _directory,
    "symlink": _symlink,
    "file": _file,
}
