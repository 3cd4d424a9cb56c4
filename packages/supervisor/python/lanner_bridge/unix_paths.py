"""Names of Unix sockets as another process means them: paths begin at its root, or at its working directory."""

import contextlib
import os
import re
import socket

from .socket_calls import process_of
from .socket_names import family_of, is_abstract

# Links of a process that lead to a folder; its own `self` is not ours.
_OF_SELF = re.compile(rb"/proc/self/(cwd|root|fd/\d+)(?:/|$)")
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


@contextlib.contextmanager
def reachable_name(thread, address):
    """The address by which this process reaches the Unix socket that `thread` means. OSError when its folder cannot be entered.

    A path becomes relative to its folder, which is the working directory meanwhile: a name that fits the caller fits here too.
    """
    if family_of(address) != socket.AF_UNIX or is_abstract(address):  # the same for all
        yield address
        return
    path = address[2:].split(b"\0", 1)[0]
    of_self = _OF_SELF.match(path)
    start = b"/proc/%d/%s" % (process_of(thread), of_self[1]) if of_self else b"/proc/%d/cwd" % thread
    rest = path[of_self.end() :] if of_self else path
    with contextlib.ExitStack() as opened:
        start_fd, root, ours = (_open(opened, name) for name in (start, b"/proc/%d/root" % thread, b"/"))
        opened.callback(os.fchdir, ours)
        opened.enter_context(_root_of_caller(root, ours))
        os.fchdir(start_fd)
        os.fchdir(_open(opened, os.path.dirname(rest) or b"."))
        yield address[:2] + (os.path.basename(rest) or b".") + b"\0"


def _open(opened, path):
    fd = os.open(path, _FOLDER)
    opened.callback(os.close, fd)
    return fd


@contextlib.contextmanager
def _root_of_caller(root, ours):
    """Links in a path, and `..`, lead where they lead the caller: a runner has another root than the init of its sandbox."""
    if os.path.sameopenfile(root, ours):
        yield
        return
    try:
        os.fchdir(root)
        os.chroot(".")
        yield
    finally:
        os.fchdir(ours)
        os.chroot(".")
