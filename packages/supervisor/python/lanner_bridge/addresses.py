"""Every runner listens on a loopback address of its own, whatever its code asks for: where the kernel cannot help (socket_broker.py).

Two functions that both bind 0.0.0.0:8080 both work, and nothing is reachable from another machine. The rules, for TCP:

| asked for | done |
|---|---|
| bind to any local address with a port | bound to the runner's address with that port |
| bind to a wildcard without a port | left alone (it may be a client); `listen` moves it to the runner's address |
| bind to a loopback address without a port | left alone: private already, and it cannot collide |
| connect to 127.0.0.1, localhost, ::1, 0.0.0.0 with a port this runner listens on | led to the runner's address |

UDP is rewritten when bound to a wildcard with a port. IPv6 sockets get the address in its v4-mapped form. Children made by fork
inherit all of this. Programs in other languages, and Python started anew, are not covered here.
"""

import errno
import mmap
import os
import socket
import weakref

from . import uvloop_addresses

_RealSocket = socket.socket.__mro__[1]  # the C type below the Python class
_WILDCARDS = frozenset(("", "0.0.0.0", "::", "<any>"))
_LOOPBACKS = frozenset(("127.0.0.1", "localhost", "::1", "ip6-localhost", "ip6-loopback"))
_PORTS = 65536


class RunnerAddress:
    """The address of a runner, and the ports it uses. The map of listening ports is shared by every process forked from it."""

    def __init__(self, address, on_listen):
        self.address = address
        self._on_listen = on_listen
        self._holders = weakref.WeakValueDictionary()
        self._ipv6_only = {}
        self._listening = mmap.mmap(-1, _PORTS)

    def for_bind(self, host, port, is_stream=True):
        """The host to bind instead of `host`, or None to leave it."""
        if not port or (host.startswith("127.") and host not in _LOOPBACKS):
            return None
        return self.address if is_stream or host in _WILDCARDS else None

    def for_connect(self, host, port):
        """The host to connect to instead of `host`, or None to leave it."""
        is_here = host in _LOOPBACKS or host in _WILDCARDS
        return self.address if is_here and 0 < port < _PORTS and self._listening[port] else None

    def is_own(self, host):
        return host.removeprefix("::ffff:") == self.address

    def note_bound(self, sock, port, is_ipv6_only):
        self._holders[port] = sock
        self._ipv6_only[port] = is_ipv6_only

    def is_second_of_pair(self, sock, port, is_ipv6_only):
        """Another live socket of this process holds the port for the other family, and one of the two is for IPv6 alone."""
        holder = self._holders.get(port)
        if holder is None or holder is sock or holder.fileno() == -1 or holder.family == sock.family:
            return False
        return bool(is_ipv6_only or self._ipv6_only.get(port))

    def note_listening(self, port):
        self._listening[port] = 1
        self._on_listen(port)


def install(address, on_listen):
    """Patch the sockets of this process. `on_listen(port)` is called after each listen, in whichever process does it."""
    own = RunnerAddress(address, on_listen)

    def bind(self, where):
        if _has_port(self, where):
            return _bind(self, where, own)
        return _RealSocket.bind(self, where)

    def listen(self, *backlog):
        return _listen(self, backlog, own)

    def connect(self, where):
        return _RealSocket.connect(self, _led(self, where, own))

    def connect_ex(self, where):
        return _RealSocket.connect_ex(self, _led(self, where, own))

    for method in (bind, listen, connect, connect_ex):
        method.__doc__ = getattr(_RealSocket, method.__name__).__doc__
        setattr(socket.socket, method.__name__, method)
    uvloop_addresses.install(own)


def _has_port(sock, where):
    return (
        sock.family in (socket.AF_INET, socket.AF_INET6)
        and isinstance(where, tuple)
        and len(where) >= 2
        and isinstance(where[0], str)
        and isinstance(where[1], int)
    )


def _bind(sock, where, own):
    host, port = where[:2]
    instead = own.for_bind(host, port, sock.type == socket.SOCK_STREAM)
    if instead is None:
        return _RealSocket.bind(sock, where)
    is_ipv6 = sock.family == socket.AF_INET6
    is_ipv6_only = is_ipv6 and bool(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
    if own.is_second_of_pair(sock, port, is_ipv6_only):
        # Servers open `0.0.0.0` and `::` side by side, the latter for IPv6 alone. Both would become the same address here; the
        # second one gets a port that nobody knows.
        return _RealSocket.bind(sock, ("::1" if is_ipv6 else "127.0.0.1", 0))
    if is_ipv6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    _RealSocket.bind(sock, (f"::ffff:{instead}" if is_ipv6 else instead, port))
    own.note_bound(sock, port, is_ipv6_only)
    return None


def _listen(sock, backlog, own):
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return _RealSocket.listen(sock, *backlog)
    host, port = sock.getsockname()[:2]
    if not (own.is_own(host) or host.startswith("127.") or host == "::1"):
        _move(sock, port, own)
    _RealSocket.listen(sock, *backlog)
    host, port = sock.getsockname()[:2]
    if own.is_own(host):
        own.note_listening(port)
    return None


def _move(sock, port, own):
    """A socket that is bound to a reachable address and wants to listen: put another one, bound to ours, behind its descriptor."""
    host = own.address if sock.family == socket.AF_INET else f"::ffff:{own.address}"
    _RealSocket.setsockopt(sock, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with socket.socket(sock.family, sock.type, sock.proto) as other:
        _RealSocket.setsockopt(other, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            _RealSocket.setsockopt(other, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            _RealSocket.bind(other, (host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            _RealSocket.bind(other, (host, 0))
        timeout, inheritable = sock.gettimeout(), sock.get_inheritable()
        os.dup2(other.fileno(), sock.fileno(), inheritable)
        sock.settimeout(timeout)


def _led(sock, where, own):
    if not _has_port(sock, where):
        return where
    instead = own.for_connect(where[0], where[1])
    if instead is None:
        return where
    return (instead if sock.family == socket.AF_INET else f"::ffff:{instead}", *where[1:])
