"""The way of a session's process into its runner: what `docker exec` does for containers.

    helper (outside; relays, makes the session's sockets) ── session (in the namespaces of the app)

The namespaces of a runner belong to the user namespace of its zygote: for real root that is the one it is in itself; an ordinary user
enters it, which gives it every power in there and none outside. The helper enters the PID namespace for its child. The child enters the rest,
becomes the account's user, and last enters the app's own user namespace. It keeps nothing of its powers.
"""

import fcntl
import glob
import os

from . import identity, linux

_NS_GET_PARENT = 0xB702
_MAX_PROCESSES = 8192


class NoSuchRunner(Exception):
    """The app has ended."""


class RunnerNamespaces:
    """Descriptors of the namespaces of an app, taken while this process may."""

    def __init__(self, init_pid, uid, gid):
        self._user = (uid, gid)
        app = _first_child(init_pid)
        self._app_user = _open(app, "user")
        self._owner = fcntl.ioctl(self._app_user, _NS_GET_PARENT)
        self._pid = _open(app, "pid")
        self._others = [(_open(app, name), kind) for name, kind in (("ipc", linux.CLONE_NEWIPC), ("uts", linux.CLONE_NEWUTS), ("mnt", linux.CLONE_NEWNS))]

    def enter_as_helper(self):
        """The next child is in the PID namespace of the app."""
        if not os.path.sameopenfile(self._owner, _open("self", "user")):
            linux.setns(self._owner, linux.CLONE_NEWUSER)
        linux.setns(self._pid, linux.CLONE_NEWPID)

    def become_user(self):
        """Real root becomes the account's user, to whom the app's user namespace belongs."""
        uid, gid = self._user
        if uid is not None and os.geteuid() == 0:
            identity.become_user(uid, gid)

    def enter_as_session(self):
        for fd, kind in self._others:
            linux.setns(fd, kind)
        self.become_user()
        linux.setns(self._app_user, linux.CLONE_NEWUSER)
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        linux.drop_all_capabilities()
        _limit_processes()


def join_control_groups(init_pid):
    """The limits of the runner hold for what runs beside its app, where there are any."""
    for line in _read(f"/proc/{init_pid}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for folder in _folders_of(controllers):
            try:
                with open(f"{folder}{path}/cgroup.procs", "w") as file:
                    file.write("0")
                break
            except OSError:
                pass


def _folders_of(controllers):
    if not controllers:
        return ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
    return [f"/sys/fs/cgroup/{controllers}", *glob.glob(f"/sys/fs/cgroup/*{controllers.split(',')[0]}*")]


def _first_child(pid):
    children = _read(f"/proc/{pid}/task/{pid}/children").split()
    if not children:
        raise NoSuchRunner("its app has ended")
    return int(children[0])


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _open(pid, namespace):
    try:
        return os.open(f"/proc/{pid}/ns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NoSuchRunner("its app has ended") from None


def _limit_processes():
    import resource

    resource.setrlimit(resource.RLIMIT_NPROC, (_MAX_PROCESSES, _MAX_PROCESSES))
