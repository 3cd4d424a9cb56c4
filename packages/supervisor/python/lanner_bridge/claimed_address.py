"""A runner's side of how it gets its address: claim_desk.py is the other."""

import socket
import struct

PORT = struct.Struct("=H")
ACCEPTED = b"A"
_MAX_REASON_BYTES = 1024


class ClaimedAddress:
    """In the init of a runner. Give up the connection, or end, and the address is nobody's."""

    def __init__(self, desk_fd, address, proof):
        self._channel, theirs = socket.socketpair()
        desk = socket.socket(fileno=desk_fd)
        with theirs, desk:
            socket.send_fds(desk, [f"{address} {proof}".encode()], [theirs.fileno()])
        self.is_open = True
        self._rest = b""

    def fileno(self):
        return self._channel.fileno()

    def wait(self):
        """Until this PID namespace (without namespaces: this process with what it forks) has the address. OSError when it gets none."""
        answer = self._channel.recv(1)
        if answer != ACCEPTED:
            raise PermissionError(f"no address: {self._channel.recv(_MAX_REASON_BYTES).decode('utf-8', 'replace') or 'the sandbox does not answer'}")
        self._channel.setblocking(False)

    def new_ports(self):
        """Ports that have begun to listen since the last call. `is_open` is False when no more will be told."""
        try:
            data = self._channel.recv(65536)
        except BlockingIOError:
            return []
        self.is_open = bool(data)
        data = self._rest + data
        whole = len(data) - len(data) % PORT.size
        self._rest = data[whole:]
        return [port for (port,) in PORT.iter_unpack(data[:whole])]
