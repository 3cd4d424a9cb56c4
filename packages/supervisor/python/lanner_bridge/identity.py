"""User ids: becoming an account's user, and entering a user namespace that maps only that user."""

import os

from . import linux


def become_user(uid, gid):
    """Real root becomes an ordinary user for good: groups, all ids, and with them every capability."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # A change of ids makes a process undumpable, and /proc/self then belongs to root: id maps could not be written.
    linux.prctl(linux.PR_SET_DUMPABLE, 1)


def enter_user_namespace(other_flags=0):
    """Enter a new user namespace (and others, owned by it), in which this user keeps its own number.

    The process has every capability in there afterwards, and none outside.
    """
    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(linux.CLONE_NEWUSER | other_flags)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")


def _write(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
