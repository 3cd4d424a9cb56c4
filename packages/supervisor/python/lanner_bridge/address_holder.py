"""One address of this machine's loopback net, and the sockets of whoever holds it: bind and listen by the rules of address_rules.py.

Results are errno values (0: done), made for the caller of the original call.
"""

import errno
import socket

from . import seccomp, socket_names
from .address_rules import AddressRules, Verdict

_MAX_ABSTRACT_NAMES = 65536


class AddressHolder:
    """A runner, a build, or the imports of a zygote. `on_listen(port)` is called once for every port on which it begins to listen.

    `listeners`: a ListenerTable, which several holders may share.
    """

    def __init__(self, address, listeners, on_listen=lambda port: None):
        self.address = address
        self.rules = AddressRules(socket.inet_aton(address), _is_of_machine)
        self._on_listen = on_listen
        self._ports = {socket.SOCK_STREAM: set(), socket.SOCK_DGRAM: set()}
        self._listeners = listeners
        # TCP port → (domain, is for IPv6 alone) of the last socket bound to it.
        self._bound = {}
        # Abstract names of Unix sockets, which the whole machine shares, as this holder has bound them.
        self._abstract_names = set()
        # Before Linux 5.19 a signal may interrupt a caller whose call was made; it then makes the call again.
        self._is_repeatable = not seccomp.holds_callers()

    def own_name(self, held, port):
        return socket_names.pack(held.domain, self.rules.own, port)

    def has_bound_abstract(self, address):
        return address in self._abstract_names

    def is_bound_to_own(self, held):
        name = socket_names.parse(held.name())
        return name is not None and name.ip == self.rules.own

    def is_served(self, name, kind):
        """The kernel's table tells, also of servers that another broker of this holder has helped, or that are closed by now."""
        is_known = name.port in self._ports.get(kind, ())
        if kind != socket.SOCK_STREAM or not (is_known or name.is_wildcard or name.is_loopback):
            return is_known  # a connection to the outside is not worth a question
        return self._listeners.has(self.rules.own, name.port) if self._listeners.is_available() else is_known

    def bind(self, held, address):
        if held.domain == socket.AF_INET and socket_names.family_of(address) == socket.AF_UNSPEC:
            address = socket.AF_INET.to_bytes(2, "little") + address[2:]  # as the kernel takes it
        name = socket_names.parse(address)
        if name is None:
            return held.bind(address)
        is_stream = held.kind == socket.SOCK_STREAM
        if self.rules.for_bind(name, is_stream) is Verdict.AS_ASKED:
            result = held.bind(address)
        else:
            result = self._bind_own(held, name.port, is_stream)
        if result == errno.EINVAL and self._is_repeatable and _port_of(held) and name.port in (0, _port_of(held)):
            return 0  # bound here, but a signal kept the caller from hearing it
        if result == 0 and not is_stream and name.port:
            self._ports[socket.SOCK_DGRAM].add(name.port)
        return result

    def bind_abstract(self, held, address):
        if len(self._abstract_names) >= _MAX_ABSTRACT_NAMES:
            return errno.ENOBUFS
        result = held.bind(address)
        if result == 0:
            self._abstract_names.add(held.name())
        return result

    def listen(self, held, backlog):
        if not held.is_internet:
            return held.listen(backlog)
        name = socket_names.parse(held.name())
        if name.port == 0:  # not bound yet: the kernel would take a wildcard
            result = self._bind_own(held, 0, is_stream=True)
            if result:
                return result
            name = socket_names.parse(held.name())
        if name.ip != self.rules.own:
            return errno.EADDRNOTAVAIL
        result = held.listen(backlog)
        ports = self._ports[socket.SOCK_STREAM]
        if result == 0 and name.port not in ports:
            ports.add(name.port)
            self._on_listen(name.port)
        return result

    def _bind_own(self, held, port, is_stream):
        is_for_ipv6_alone = False
        if held.domain == socket.AF_INET6:
            is_for_ipv6_alone = bool(held.option(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
            held.set_option(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if is_stream and self._may_be_second_of_pair(held.domain, port, is_for_ipv6_alone):
            return self._bind_second(held, port)
        result = held.bind(self.own_name(held, port))
        if is_stream and port and result == 0:
            self._bound[port] = (held.domain, is_for_ipv6_alone)
        return result

    def _bind_second(self, held, port):
        """Servers open `0.0.0.0` and `::` side by side, the latter for IPv6 alone. Both would become the same address here; the
        second one gets a port that nobody knows, if the first one is still there."""
        reuse = held.option(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        held.set_option(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # or the bind would work, and the listen not
        result = held.bind(self.own_name(held, port))
        held.set_option(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        return held.bind(self.own_name(held, 0)) if result == errno.EADDRINUSE else result

    def _may_be_second_of_pair(self, domain, port, is_for_ipv6_alone):
        first = self._bound.get(port)
        return first is not None and first[0] != domain and (is_for_ipv6_alone or first[1])


def _port_of(held):
    name = socket_names.parse(held.name())
    return name.port if name else 0


def _is_of_machine(name):
    """This machine has the address (asked of the kernel; a scope is not needed for the addresses that matter)."""
    family = socket.AF_INET if len(name.ip) == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((socket.inet_ntop(family, name.ip), 0))
        except OSError:
            return False
    return True
