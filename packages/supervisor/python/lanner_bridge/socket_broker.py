"""Does bind, listen and connect for every program of a runner, by the rules of address_rules.py. Runs in the runner's init.

The kernel hands over each of these calls while its caller waits (seccomp.py). The caller's memory is read once, its socket is held by a
descriptor of our own, and the call is made here. So no program can show one address and use another, whatever its threads do meanwhile;
`connect` and `listen` are never let run by the caller itself. (A `bind` of a socket that is not for the internet is: what could slip
through there can still not listen.) Nothing here waits: a connect that takes time is waited for by the poll loop of the init.
"""

import errno
import os
import select
import socket
import sys
import time
from dataclasses import dataclass

from . import seccomp, socket_names
from .address_rules import AddressRules, Verdict
from .listener_table import ListenerTable
from .socket_calls import CallerGone, HeldSocket, fetch_descriptor, has_signal, is_close_on_exec, read_address
from .unix_paths import reachable_name

_RETRY_SECONDS = 0.02
_CHECK_SECONDS = 0.05
_MAX_ABSTRACT_NAMES = 65536
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
    """`on_listen(port)` is called once for every port on which the runner begins to listen."""

    def __init__(self, listener_fd, address, on_listen):
        self._listener = seccomp.Listener(listener_fd)
        self._rules = AddressRules(socket.inet_aton(address), _is_of_machine)
        self._on_listen = on_listen
        self._ports = {socket.SOCK_STREAM: set(), socket.SOCK_DGRAM: set()}
        self._table = ListenerTable()
        # TCP port → (domain, is for IPv6 alone) of the last socket bound to it.
        self._bound = {}
        # Abstract names of Unix sockets, which the whole machine shares, as this runner has bound them.
        self._abstract_names = set()
        self._waiting = {}
        self._is_repeatable = not seccomp.holds_callers()
        self._is_open = True
        # Why a caller could not be served, of late; for the trial.
        self.trouble = None

    def register(self, poll):
        """Add what the broker waits for to a poll object of this turn."""
        if self._is_open:
            poll.register(self._listener, select.POLLIN)
        for fd, waiting in self._waiting.items():
            if not waiting.is_unix:
                poll.register(fd, select.POLLOUT)

    def longest_wait_ms(self):
        """How long the poll may take at most; None: for ever."""
        if not self._waiting:
            return None
        if any(waiting.is_unix for waiting in self._waiting.values()):
            return round(_RETRY_SECONDS * 1000)
        soonest = min(waiting.until for waiting in self._waiting.values())
        return max(0, round(min(_CHECK_SECONDS, soonest - time.monotonic()) * 1000) + 1)

    def serve(self, ready):
        """One turn: `ready` maps descriptors to events, as poll gave them."""
        events = ready.get(self._listener.fileno(), 0) if self._is_open else 0
        if events & select.POLLIN:
            notification = self._listener.receive()
            if notification is not None:
                self._handle(notification)
        elif events:  # nobody is left whose calls could come
            self._is_open = False
            self._listener.close()
        if self._waiting:
            self._go_on(ready)

    def _handle(self, notification):
        held = None
        try:
            number = notification.number
            if number == seccomp.calls.listen:
                held = self._hold(notification)
                self._listener.answer(notification, self._listen(held, notification.arguments[1]))
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
                held = self._connect(notification, held, address)
            elif is_abstract:
                self._listener.answer(notification, self._bind_abstract(held, address))
            elif held.is_internet:
                self._listener.answer(notification, self._bind(held, address))
            else:
                self._listener.let_run(notification)
        except CallerGone as error:
            self.trouble = str(error)
            # Gone: nobody hears it. A process that cannot be looked into has made itself so, and gets no sockets.
            self._listener.answer(notification, errno.EACCES)
        except OSError as error:
            self._listener.answer(notification, error.errno or errno.EIO)
        except Exception as error:  # a mistake of ours must cost this call, and not the runner
            sys.stderr.write(f"runner: a socket call failed: {error!r}\n")
            self._listener.answer(notification, errno.EIO)
        finally:
            if held is not None:
                held.close()

    def _hold(self, notification):
        fd = fetch_descriptor(notification.thread, _signed(notification.arguments[0]))
        try:
            held = HeldSocket(fd)
            if not self._listener.is_waiting(notification):
                raise CallerGone("interrupted")
            return held
        except BaseException:
            os.close(fd)
            raise

    # -- bind and listen ----------------------------------------------------------------------------------------

    def _bind(self, held, address):
        if held.domain == socket.AF_INET and socket_names.family_of(address) == socket.AF_UNSPEC:
            address = socket.AF_INET.to_bytes(2, "little") + address[2:]  # as the kernel takes it
        name = socket_names.parse(address)
        if name is None:
            return held.bind(address)
        is_stream = held.kind == socket.SOCK_STREAM
        if self._rules.for_bind(name, is_stream) is Verdict.AS_ASKED:
            result = held.bind(address)
        else:
            result = self._bind_own(held, name.port, is_stream)
        if result == errno.EINVAL and self._is_repeatable and _port_of(held) and name.port in (0, _port_of(held)):
            return 0  # bound here, but a signal kept the caller from hearing it
        if result == 0 and not is_stream and name.port:
            self._ports[socket.SOCK_DGRAM].add(name.port)
        return result

    def _bind_abstract(self, held, address):
        if len(self._abstract_names) >= _MAX_ABSTRACT_NAMES:
            return errno.ENOBUFS
        result = held.bind(address)
        if result == 0:
            self._abstract_names.add(held.name())
        return result

    def _bind_own(self, held, port, is_stream):
        is_for_ipv6_alone = False
        if held.domain == socket.AF_INET6:
            is_for_ipv6_alone = bool(held.option(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
            held.set_option(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if is_stream and self._may_be_second_of_pair(held.domain, port, is_for_ipv6_alone):
            return self._bind_second(held, port)
        result = held.bind(self._own(held, port))
        if is_stream and port and result == 0:
            self._bound[port] = (held.domain, is_for_ipv6_alone)
        return result

    def _bind_second(self, held, port):
        """Servers open `0.0.0.0` and `::` side by side, the latter for IPv6 alone. Both would become the same address here; the
        second one gets a port that nobody knows, if the first one is still there."""
        reuse = held.option(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        held.set_option(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # or the bind would work, and the listen not
        result = held.bind(self._own(held, port))
        held.set_option(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        return held.bind(self._own(held, 0)) if result == errno.EADDRINUSE else result

    def _may_be_second_of_pair(self, domain, port, is_for_ipv6_alone):
        first = self._bound.get(port)
        return first is not None and first[0] != domain and (is_for_ipv6_alone or first[1])

    def _listen(self, held, backlog):
        if not held.is_internet:
            return held.listen(_signed(backlog))
        name = socket_names.parse(held.name())
        if name.port == 0:  # not bound yet: the kernel would take a wildcard
            result = self._bind_own(held, 0, is_stream=True)
            if result:
                return result
            name = socket_names.parse(held.name())
        if name.ip != self._rules.own:
            return errno.EADDRNOTAVAIL
        result = held.listen(_signed(backlog))
        ports = self._ports[socket.SOCK_STREAM]
        if result == 0 and name.port not in ports:
            ports.add(name.port)
            self._on_listen(name.port)
        return result

    def _own(self, held, port):
        return socket_names.pack(held.domain, self._rules.own, port)

    # -- connect ------------------------------------------------------------------------------------------------

    def _connect(self, notification, held, address):
        """Answer, or begin to wait. Returns the socket if it is not needed any more."""
        name = socket_names.parse(address) if held.is_internet else None
        if name is not None:
            kind = held.kind
            verdict = self._rules.for_connect(name, lambda asked: self._is_served(asked, kind))
            if verdict is Verdict.REFUSED:
                self._listener.answer(notification, errno.ECONNREFUSED)
                return held
            if verdict is Verdict.OWN:
                if held.domain == socket.AF_INET6:
                    held.set_option(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                address = self._own(held, name.port)
            elif self._rules.leaves_machine(name) and self._is_bound_to_own(held):
                self._release(notification, held)
        is_unix = held.domain == socket.AF_UNIX
        if is_unix and socket_names.is_abstract(address) and address not in self._abstract_names:
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
        until = time.monotonic() + timeout if timeout else float("inf")
        self._waiting[held.fd] = _Waiting(notification, held, address, until, is_unix)
        return None

    def _is_served(self, name, kind):
        """The kernel's table tells, also of servers that another broker of this runner has helped, or that are closed by now."""
        is_known = name.port in self._ports.get(kind, ())
        if kind != socket.SOCK_STREAM or not (is_known or name.is_wildcard or name.is_loopback):
            return is_known  # a connection to the outside is not worth a question
        return self._table.has(self._rules.own, name.port) if self._table.is_available() else is_known

    def _is_bound_to_own(self, held):
        name = socket_names.parse(held.name())
        return name is not None and name.ip == self._rules.own

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
        now = time.monotonic()
        for fd, waiting in list(self._waiting.items()):
            if not self._listener.is_waiting(waiting.notification):
                result = None  # interrupted or gone; the connection goes on as it does without us
            elif has_signal(waiting.notification.thread):
                self._listener.restart(waiting.notification)
                result = None
            elif waiting.is_unix:
                result = _connect_unix(waiting.notification, waiting.held, waiting.address)
                if result == errno.EAGAIN and now < waiting.until:
                    continue
            elif fd in ready:
                result = waiting.held.connect(waiting.address)  # of a connection under way: tells how it ended
                if result in (errno.EALREADY, errno.EINPROGRESS) and now < waiting.until:
                    continue
            elif now >= waiting.until:
                result = errno.EINPROGRESS
            else:
                continue
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


def _connect_unix(notification, held, address):
    try:
        with reachable_name(notification.thread, address) as reachable:
            return held.connect(reachable)
    except OSError as error:  # its folder is not there, or closed to it
        return error.errno
    except CallerGone:
        return errno.EACCES


def _port_of(held):
    name = socket_names.parse(held.name())
    return name.port if name else 0


def _signed(argument):
    """An int argument of a call, which arrives as 64 bits of a register."""
    value = argument & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _is_of_machine(name):
    """This machine has the address (asked of the kernel; a scope is not needed for the addresses that matter)."""
    family = socket.AF_INET if len(name.ip) == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((socket.inet_ntop(family, name.ip), 0))
        except OSError:
            return False
    return True
