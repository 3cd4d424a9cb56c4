"""Does bind, listen and connect for every program of a sandbox, by the rules of address_rules.py. Runs in the init of the sandbox.

The kernel hands over each of these calls while its caller waits (seccomp.py). The caller's memory is read once, its socket is held by a
descriptor of our own, and the call is made here. So no program can show one address and use another, whatever its threads do meanwhile;
`connect` and `listen` are never let run by the caller itself. (A `bind` of a socket that is not for the internet is: what could slip
through there can still not listen.) Nothing here waits: a connect that takes time is waited for by the poll loop of the init. And nobody
waits for long behind others: each holder of an address has a line of its own, and of each line one call is made at a turn.
"""

import errno
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass

from . import seccomp, socket_names
from .address_rules import Verdict
from .socket_calls import CallerGone, HeldSocket, fetch_descriptor, has_signal, is_close_on_exec, read_address
from .unix_paths import reachable_name

_RETRY_SECONDS = 0.02
_CHECK_SECONDS = 0.05
# A program may make a call of ours wait, by what its other threads do to the socket meanwhile. No longer than this.
_LONGEST_CALL_SECONDS = 0.05
_NEVER = float("inf")
_RECEIVED_PER_TURN = 64
_CHECKED_PER_TURN = 16
_INTERNET_FAMILIES = (socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6)
_KEPT_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    (socket.SOL_SOCKET, socket.SO_REUSEADDR),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY),
)


@dataclass(slots=True)
class _Waiting:
    """A blocking connect under way."""

    notification: seccomp.Notification
    held: HeldSocket
    address: bytes
    until: float  # monotonic; infinity without SO_SNDTIMEO
    is_unix: bool


class SocketBroker:
    """`holders.of(thread)`: the AddressHolder of a caller (callers.py)."""

    def __init__(self, listener_fd, holders):
        self._listener = seccomp.Listener(listener_fd)
        self._holders = holders
        self._more = select.poll()
        self._more.register(listener_fd, select.POLLIN)
        # Holder → calls that were received, and not made yet.
        self._lines = {}
        # Descriptor → a connect under way.
        self._waiting = {}
        self._to_check = deque()
        self._check_at = _NEVER
        self._is_repeatable = not seccomp.holds_callers()
        self._is_open = True
        signal.signal(signal.SIGALRM, _interrupt)

    def register(self, poll):
        """Add what the broker waits for to a poll object of this turn."""
        if self._is_open:
            poll.register(self._listener, select.POLLIN)
        for fd, waiting in self._waiting.items():
            if not waiting.is_unix:
                poll.register(fd, select.POLLOUT)

    def longest_wait_ms(self):
        """How long the poll may take at most; None: for ever."""
        if self._lines or self._to_check:
            return 0
        if not self._waiting:
            return None
        return max(0, round((self._check_at - time.monotonic()) * 1000) + 1)

    def serve(self, ready):
        """One turn: `ready` maps descriptors to events, as poll gave them."""
        events = ready.get(self._listener.fileno(), 0) if self._is_open else 0
        if events & select.POLLIN:
            self._receive()
        elif events:  # nobody is left whose calls could come
            self._is_open = False
            self._listener.close()
        if not (self._lines or self._waiting or self._to_check):
            return
        signal.setitimer(signal.ITIMER_REAL, _LONGEST_CALL_SECONDS, _LONGEST_CALL_SECONDS)
        for holder in list(self._lines):
            line = self._lines[holder]
            self._handle(line.popleft(), holder)
            if not line:
                del self._lines[holder]
        self._go_on(ready)
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _receive(self):
        for _ in range(_RECEIVED_PER_TURN):
            notification = self._listener.receive()
            if notification is not None:
                try:
                    holder = self._holders.of(notification.thread)
                except CallerGone:
                    self._listener.answer(notification, errno.EACCES)
                else:
                    self._lines.setdefault(holder, deque()).append(notification)
            if not self._more.poll(0):
                return

    def _handle(self, notification, holder):
        held = None
        try:
            number = notification.number
            if number == seccomp.calls.listen:
                held = self._hold(notification)
                self._listener.answer(notification, holder.listen(held, _signed(notification.arguments[1])))
                return
            address = read_address(notification.thread, notification.arguments[1], notification.arguments[2] & 0xFFFFFFFF)
            if isinstance(address, int):
                self._listener.answer(notification, address)
                return
            is_bind = number == seccomp.calls.bind
            is_abstract = socket_names.is_abstract(address)
            if is_bind and not is_abstract and socket_names.family_of(address) not in _INTERNET_FAMILIES:
                self._listener.let_run(notification)
                return
            held = self._hold(notification)
            if not is_bind:
                held = self._connect(notification, held, holder, address)
            elif is_abstract:
                self._listener.answer(notification, holder.bind_abstract(held, address))
            elif held.is_internet:
                self._listener.answer(notification, holder.bind(held, address))
            else:
                self._listener.let_run(notification)
        except CallerGone:
            # Gone: nobody hears it. A process that cannot be looked into has made itself so, and gets no sockets.
            self._listener.answer(notification, errno.EACCES)
        except OSError as error:
            self._listener.answer(notification, error.errno or errno.EIO)
        except Exception as error:  # a mistake of ours must cost this call, and not the rest
            sys.stderr.write(f"sandbox: a socket call failed: {error!r}\n")
            self._listener.answer(notification, errno.EIO)
        finally:
            if held is not None:
                held.close()

    def _hold(self, notification):
        """The caller's socket. The caller has waited since the call came: what was found out about it is true of nobody else."""
        fd = fetch_descriptor(notification.thread, _signed(notification.arguments[0]))
        try:
            held = HeldSocket(fd)
            if not self._listener.is_waiting(notification):
                raise CallerGone("interrupted")
            return held
        except BaseException:
            os.close(fd)
            raise

    # -- connect ------------------------------------------------------------------------------------------------

    def _connect(self, notification, held, holder, address):
        """Answer, or begin to wait. Returns the socket if it is not needed any more."""
        name = socket_names.parse(address) if held.is_internet else None
        if name is not None:
            kind = held.kind
            verdict = holder.rules.for_connect(name, lambda asked: holder.is_served(asked, kind))
            if verdict is Verdict.REFUSED:
                self._listener.answer(notification, errno.ECONNREFUSED)
                return held
            if verdict is Verdict.OWN:
                if held.domain == socket.AF_INET6:
                    held.set_option(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                address = holder.own_name(held, name.port)
            elif holder.rules.leaves_machine(name) and holder.is_bound_to_own(held):
                self._release(notification, held)
        is_unix = held.domain == socket.AF_UNIX
        if is_unix and socket_names.is_abstract(address) and not holder.has_bound_abstract(address):
            self._listener.answer(notification, errno.ECONNREFUSED)
            return held
        result = _connect_unix(notification, held, address) if is_unix else held.connect(address)
        if result == errno.EINPROGRESS and held.is_blocking:
            result = held.connect(address)  # on this machine it is there by now; this tells how it went
        is_under_way = result == errno.EAGAIN if is_unix else result in (errno.EINPROGRESS, errno.EALREADY)
        if not is_under_way or not held.is_blocking:
            self._listener.answer(notification, self._of_first_call(held, result))
            return held
        timeout = held.send_timeout_seconds
        until = time.monotonic() + timeout if timeout else _NEVER
        waiting = self._waiting[held.fd] = _Waiting(notification, held, address, until, is_unix)
        self._check_at = min(self._check_at, _next_check(waiting))
        return None

    def _release(self, notification, held):
        """A socket that was bound to the runner's address, because it could have become a server, but is a client: a fresh one takes its place."""
        number = _signed(notification.arguments[0])
        with socket.socket(held.domain, held.kind, held.option(socket.SOL_SOCKET, socket.SO_PROTOCOL)) as fresh:
            fresh.setblocking(held.is_blocking)
            for level, option in _KEPT_OPTIONS if held.kind == socket.SOCK_STREAM else ():
                fresh.setsockopt(level, option, held.option(level, option))
            self._listener.put_descriptor(notification, fresh.fileno(), number, is_close_on_exec(notification.thread, number))
            os.dup2(fresh.fileno(), held.fd, inheritable=False)

    def _go_on(self, ready):
        """With what is ready; and all are looked at from time to time, a few at a turn."""
        now = time.monotonic()
        if now >= self._check_at:
            self._to_check = deque(self._waiting)
            self._check_at = _NEVER
        checked = [self._to_check.popleft() for _ in range(min(_CHECKED_PER_TURN, len(self._to_check)))]
        for fd in {*checked, *ready} & self._waiting.keys():
            self._look_at(fd, ready, now)
        if self._check_at == _NEVER and not self._to_check:
            self._check_at = min(map(_next_check, self._waiting.values()), default=_NEVER)

    def _look_at(self, fd, ready, now):
        waiting = self._waiting[fd]
        if not self._listener.is_waiting(waiting.notification):
            result = None  # interrupted or gone; the connection goes on as it does without us
        elif has_signal(waiting.notification.thread):
            self._listener.restart(waiting.notification)
            result = None
        elif waiting.is_unix:
            result = _connect_unix(waiting.notification, waiting.held, waiting.address)
            if result == errno.EAGAIN and now < waiting.until:
                return
        elif fd in ready:
            result = waiting.held.connect(waiting.address)  # of a connection under way: tells how it ended
            if result in (errno.EALREADY, errno.EINPROGRESS) and now < waiting.until:
                return
        elif now >= waiting.until:
            result = errno.EINPROGRESS
        else:
            return
        del self._waiting[fd]
        if result is not None:
            self._listener.answer(waiting.notification, result)
        waiting.held.close()

    def _of_first_call(self, held, result):
        """On older kernels a signal may have interrupted the caller after its connect was made here: it then calls again."""
        if self._is_repeatable and result == errno.EISCONN:
            return 0
        if self._is_repeatable and result == errno.EALREADY and not held.is_blocking:
            return errno.EINPROGRESS
        return result


def _interrupt(_number, _frame):
    """What waits in the kernel ends with EINTR."""


def _next_check(waiting):
    """Its caller may have gone, have got a signal, or have waited enough."""
    return min(waiting.until, time.monotonic() + (_RETRY_SECONDS if waiting.is_unix else _CHECK_SECONDS))


def _connect_unix(notification, held, address):
    try:
        with reachable_name(notification.thread, address) as reachable:
            return held.connect(reachable)
    except OSError as error:  # its folder is not there, or closed to it
        return error.errno
    except CallerGone:
        return errno.EACCES


def _signed(argument):
    """An int argument of a call, which arrives as 64 bits of a register."""
    value = argument & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
