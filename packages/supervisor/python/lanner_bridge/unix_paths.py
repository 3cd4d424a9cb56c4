"""Names of Unix sockets as another process means them: paths begin at its root, or at its working directory."""

import contextlib
import os
import socket

from .socket_names import family_of
from .socket_calls import process_of

_SELF = b"/proc/self/"


@contextlib.contextmanager
def reachable_name(thread, address):
    """The address of a Unix socket by which this process reaches what `thread` means. OSError when its folder cannot be entered."""
    path = address[2:].split(b"\0", 1)[0]
    if family_of(address) != socket.AF_UNIX or not path:  # abstract names are the same for all
        yield address
        return
    folder = os.open(_folder(thread, path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield address[:2] + b"/proc/self/fd/%d/%s" % (folder, os.path.basename(path)) + b"\0"
    finally:
        os.close(folder)


def _folder(thread, path):
    folder = os.path.dirname(path)
    if not path.startswith(b"/"):
        return b"/proc/%d/cwd/%s" % (thread, folder)
    if path.startswith(_SELF):  # its own, not ours
        return b"/proc/%d/%s" % (process_of(thread), folder[len(_SELF) :])
    return b"/proc/%d/root%s" % (thread, folder)
