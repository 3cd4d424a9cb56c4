"""The sockets of everything in an exec sandbox: a build, or a zygote with all its runners. Runs in the init of the sandbox.

A seccomp listener can exist once in a line of processes, and packages run their code before there is a runner. So the filter is
installed before the program is started, and this one broker serves all of it: what comes from a runner by the address that the
runner has claimed, everything else by the sandbox's own.
"""

import array  # noqa: F401  (of socket.recv_fds, which imports it when it is called)
import socket

from . import seccomp
from .address_holder import AddressHolder
from .callers import HoldersByAncestor, HoldersByNamespace
from .listener_table import ListenerTable
from .process_tree import allow_many_descriptors
from .socket_broker import SocketBroker

_FILTERED = b"F"


class SandboxSockets:
    """Made before the program is forked; `become_filtered` in the program, `take_over` in the init."""

    def __init__(self, address, claim_key, has_namespaces):
        self._channel, self._program_channel = socket.socketpair()
        self._claim_key = claim_key
        if claim_key:
            from . import claim_desk  # costs a build milliseconds that it does not need

            self._desk, self._program_desk = claim_desk.create_desk()
            self._make_desk = claim_desk.ClaimDesk
        else:
            self._desk = self._program_desk = None
        self._listeners = ListenerTable()
        self._base = AddressHolder(address, self._listeners)
        self._has_namespaces = has_namespaces
        self._parts = []

    def become_filtered(self):
        """Returns the descriptor at which addresses are claimed, or None."""
        listener = seccomp.install_socket_filter()
        socket.send_fds(self._program_channel, [_FILTERED], [listener])
        return self._program_desk and self._program_desk.fileno()

    def take_over(self):
        """Waits for the listener; a program that could not be filtered says so itself."""
        self._program_channel.close()
        if self._program_desk:
            self._program_desk.close()
        _, fds, _, _ = socket.recv_fds(self._channel, 1, 1)
        self._channel.close()
        if not fds:
            return
        allow_many_descriptors()
        holders = HoldersByNamespace(self._base) if self._has_namespaces else HoldersByAncestor(self._base)
        self._broker = SocketBroker(fds[0], holders)
        self._parts = [self._broker]
        if self._desk:
            self._parts.append(self._make_desk(self._desk, self._claim_key, self._base, holders, self._listeners))

    def register(self, poll):
        for part in self._parts:
            part.register(poll)

    def longest_wait_ms(self):
        return self._broker.longest_wait_ms() if self._parts else None

    def serve(self, ready):
        for part in self._parts:
            part.serve(ready)
