"""PID 1 of an exec sandbox: makes the sandbox, starts the program, reaps, passes signals on, makes the calls of its sockets."""

import importlib.machinery
import json
import os
import resource
import select
import signal
import sys

from .process_tree import (
    EXIT_CANNOT_START,
    become_subreaper,
    close_descriptors_except,
    close_to_debuggers,
    default_signals,
    die_with_parent,
    drain,
    has_children,
    kill_descendants,
    open_to_debuggers,
    reap,
    send_signal,
    wake_on_signals,
)

# Where a zygote finds the desk at which its runners claim their addresses (claim_desk.py).
_CLAIMS_FD = 4
_YAMA = "/proc/sys/kernel/yama/ptrace_scope"
_ADMIN_ONLY_ATTACH = 2

_LIMITS = {"processes": resource.RLIMIT_NPROC, "openFiles": resource.RLIMIT_NOFILE, "coreBytes": resource.RLIMIT_CORE}


def enter_outer_namespaces(spec):
    """In the launcher, before the fork: what decides in which namespaces the child is born.

    Root stays in its own user namespace until the mounts are made, because the account could not reach what is to be mounted.
    """
    from . import identity, linux

    if is_privileged(spec):
        linux.unshare(linux.CLONE_NEWPID)
    else:
        identity.enter_user_namespace(linux.CLONE_NEWPID)


def is_privileged(spec):
    """Real root that runs the program as somebody else."""
    return os.geteuid() == 0 and spec.uid != 0


def run(spec, control):
    """In the child: never returns to the launcher's code but by its exit status."""
    namespaces = spec.sandbox == "namespaces"
    if namespaces:
        die_with_parent()  # and the kernel ends the namespace with it
    kept = (control.fileno(), 3) if spec.pass_control else (control.fileno(),)
    close_descriptors_except(*kept)
    sockets = _load_sockets(spec, namespaces)
    if namespaces:
        _make_sandbox(spec)
        die_with_parent()  # a change of ids has cleared it
    else:
        become_subreaper()
        if is_privileged(spec):
            _become_account(spec)
    if sockets:
        # The program must not take over its init, nor bring it to run a file of the program's.
        close_to_debuggers()
        _import_no_more()
    program = _start(spec, control, namespaces, sockets)
    if spec.pass_control:
        os.close(3)
    _empty_standard_input()
    if sockets:
        sockets.take_over()
    return _watch(spec, control, program, namespaces, sockets)


def _load_sockets(spec, namespaces):
    """Before the new root hides the modules."""
    if not spec.address:
        return None
    from . import identity  # noqa: F401
    from .sandbox_sockets import SandboxSockets

    return SandboxSockets(spec.address, spec.address_key, namespaces)


def _import_no_more():
    """A zygote may mount what it likes where this process would look for modules."""
    sys.meta_path[:] = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter]


def report_failure(control, code, message):
    control.sendall(json.dumps({"error": message, "code": code}).encode() + b"\n")


def _become_account(spec):
    from . import identity

    identity.become_user(spec.uid, spec.gid)


def _make_sandbox(spec):
    from . import linux, root_builder, root_plan

    flags = linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS
    linux.unshare(flags if spec.network else flags | linux.CLONE_NEWNET)
    linux.set_hostname(spec.hostname)
    plan = root_plan.exec_root(spec.uid, spec.gid, spec.hostname)
    interpreters = [pair for interpreter in spec.interpreters for pair in root_plan.interpreter_binds(interpreter)]
    for link in spec.interpreter_links:
        interpreters += root_plan.interpreter_link_binds(link, interpreters)
    for source, target in interpreters:
        plan.bind(source, target)
    for bind in spec.binds:
        if bind.follow_links:
            plan.bind(bind.source, bind.target, bind.read_only, bind.optional)
        else:
            plan.bind_fd(_open_folder(bind.source), bind.target, bind.read_only)
    privileged = is_privileged(spec)
    root_builder.enter_root(plan)
    if privileged:
        if not spec.keep_capabilities:
            linux.drop_all_capabilities_on_exec()
        _become_account(spec)
        if spec.keep_capabilities:
            _nest()


def _open_folder(path):
    """A folder that others can replace: what is opened is what is shown, and a link is an error."""
    try:
        return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(error.errno, f"cannot show {path}: {os.strerror(error.errno)}") from None


def _nest():
    """Capabilities for the account, but only over namespaces of its own; nothing of the machine.

    A zygote moves its children into new PID namespaces, which Linux allows only to whoever owns the current one. Root made that, so
    the account makes another one inside. This process, PID 1 of the outer one, only waits.
    """
    from . import identity, linux

    identity.enter_user_namespace(linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
    inner = os.fork()
    if inner:
        close_descriptors_except()
        die_with_parent()
        _, status = os.waitpid(inner, 0)
        os._exit(min(255, abs(os.waitstatus_to_exitcode(status))))
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)


def _start(spec, control, namespaces, sockets):
    pid = os.fork()
    if pid:
        return pid
    try:
        _become_program(spec, namespaces, sockets)
    except BaseException as error:
        report_failure(control, EXIT_CANNOT_START, f"cannot start {spec.argv[0]}: {error}")
    finally:
        os._exit(EXIT_CANNOT_START)


def _become_program(spec, namespaces, sockets):
    open_to_debuggers()
    default_signals()
    os.setsid()
    _empty_standard_input()
    # The control socket of the init closes by itself at the exec.
    for name, limit in spec.limits.items():
        if name in _LIMITS:
            _, hard = resource.getrlimit(_LIMITS[name])
            limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(_LIMITS[name], (limit, limit))
    claims_fd = sockets.become_filtered() if sockets else None
    if sys.platform == "linux":
        _restrict(spec, namespaces)
    if spec.pass_control:
        os.set_inheritable(3, True)
    os.chdir(spec.cwd)
    if claims_fd is not None:
        os.dup2(claims_fd, _CLAIMS_FD)
        os.set_inheritable(_CLAIMS_FD, True)
    os.execve(spec.argv[0], spec.argv, spec.env)


def _restrict(spec, namespaces):
    from . import identity, linux

    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    if namespaces and spec.keep_capabilities:
        linux.keep_capabilities_over_exec()
    elif namespaces:
        if spec.address and _needs_own_user_namespace():
            identity.enter_user_namespace()
        linux.drop_all_capabilities()


def _needs_own_user_namespace():
    """Where only an administrator may look into processes, the init must be one over the program: it is over the namespaces of its user."""
    try:
        with open(_YAMA, "rb") as file:
            return int(file.read()) >= _ADMIN_ONLY_ATTACH
    except (OSError, ValueError):
        return False


def _empty_standard_input():
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _watch(spec, control, program, namespaces, sockets):
    """Reap until the program (or everything) has ended; the end of the control socket ends everything."""
    wake = wake_on_signals(signal.SIGCHLD)
    ended = {}
    while True:
        for pid, status in reap():
            ended[pid] = status
        if program in ended and not (spec.wait_for_all and has_children()):
            break
        ready = _wait(wake, control, sockets)
        if wake in ready:
            drain(wake)
        if control.fileno() in ready:
            numbers = control.recv(64)
            if not numbers:
                kill_descendants(namespaces, program, ended.__setitem__)
                return 1
            for number in numbers:
                send_signal(program, number)
        if sockets:
            sockets.serve(ready)
    kill_descendants(namespaces, program, ended.__setitem__)
    control.sendall(json.dumps({"ended": ended[program]}).encode() + b"\n")
    return 0


def _wait(wake, control, sockets):
    """{descriptor: events} of this turn."""
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    poll.register(control, select.POLLIN)
    if not sockets:
        return dict(poll.poll())
    sockets.register(poll)
    return dict(poll.poll(sockets.longest_wait_ms()))
