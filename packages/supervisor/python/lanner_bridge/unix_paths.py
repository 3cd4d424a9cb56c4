"""Names of Unix sockets as another process means them: paths begin at its root, or at its working directory."""

import contextlib
import os
import socket

from .socket_calls import process_of
from .socket_names import family_of, is_abstract

_SELF = b"/proc/self/"


@contextlib.contextmanager
def reachable_name(thread, address):
    """The address by which this process reaches the Unix socket that `thread` means. OSError when its folder cannot be entered.

    A path becomes relative to its folder, which is the working directory meanwhile: a name that fits the caller fits here too.
    """
    if family_of(address) != socket.AF_UNIX or is_abstract(address):  # the same for all
        yield address
        return
    path = address[2:].split(b"\0", 1)[0]
    folder = os.open(_folder(thread, path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fchdir(folder)
        yield address[:2] + os.path.basename(path) + b"\0"
    finally:
        os.chdir("/")
        os.close(folder)


def _folder(thread, path):
    folder = os.path.dirname(path)
    if not path.startswith(b"/"):
        return b"/proc/%d/cwd/%s" % (thread, folder)
    if path.startswith(_SELF):  # its own, not ours
        return b"/proc/%d/%s" % (process_of(thread), folder[len(_SELF) :])
    return b"/proc/%d/root%s" % (thread, folder)
