"""Asks the kernel whether something listens on an address: its table of sockets, one exact question at a time (linux/inet_diag.h)."""

import socket
import struct

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 1
_HEADER = struct.Struct("=IHHII")
_ANY_STATE, _NO_COOKIE = 0xFFFFFFFF, 0xFFFFFFFF
_SOURCE_AT = _HEADER.size + 4 + 4
_MAPPED = bytes(10) + b"\xff\xff"
_TRIAL_ADDRESS = "127.31.255.253"


class ListenerTable:
    """TCP listeners of this machine. It answers from the kernel's state, so it knows those of every process, and forgets closed ones."""

    def __init__(self):
        self._netlink = None
        self._is_available = None

    def is_available(self):
        """The kernel has the table (inet_diag); found out at the first question, with a listener of our own."""
        if self._is_available is None:
            try:
                with socket.create_server((_TRIAL_ADDRESS, 0)) as trial:
                    self._is_available = self.has(socket.inet_aton(_TRIAL_ADDRESS), trial.getsockname()[1])
            except OSError:
                self._is_available = False
        return self._is_available

    def has(self, ip, port):
        """Something listens on exactly this IPv4 address (4 bytes), not only on a wildcard."""
        if self._netlink is None:
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
        name = struct.pack(">HH", port, 0) + ip + bytes(12) + bytes(16) + struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
        request = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY_STATE) + name
        self._netlink.send(_HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _REQUEST, 0, 0) + request)
        answer = self._netlink.recv(4096)
        if _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
            return False
        source = answer[_SOURCE_AT : _SOURCE_AT + 16]
        return source == ip + bytes(12) or source == _MAPPED + ip
