"""Socket addresses as the kernel reads them: bytes that begin with a family. Pure."""

import socket
import struct
from dataclasses import dataclass

# Also what AF_INET6 sockets are bound to for IPv4: ::ffff:a.b.c.d
_MAPPED = bytes(10) + b"\xff\xff"
_IPV6_LOOPBACK = bytes(15) + b"\x01"
_INET_BYTES, _INET6_BYTES = 16, 28
_SHORTEST_INET6 = 24  # the kernel takes addresses without a scope


@dataclass(frozen=True, slots=True)
class InternetName:
    """`ip`: 4 or 16 bytes; IPv4 inside IPv6 is given as 4."""

    ip: bytes
    port: int

    @property
    def is_wildcard(self):
        return not any(self.ip)

    @property
    def is_loopback(self):
        return self.ip[0] == 127 if len(self.ip) == 4 else self.ip == _IPV6_LOOPBACK


def family_of(raw):
    return struct.unpack_from("=H", raw)[0] if len(raw) >= 2 else None


def is_abstract(raw):
    """The name of a Unix socket that is no path (or, with nothing but a family, any such name)."""
    return family_of(raw) == socket.AF_UNIX and raw[2:3] in (b"", b"\0")


def parse(raw):
    """InternetName of an IPv4 or IPv6 address, None for anything else (also what is too short for its family)."""
    family = family_of(raw)
    if family == socket.AF_INET and len(raw) >= _INET_BYTES:
        return InternetName(raw[4:8], struct.unpack_from(">H", raw, 2)[0])
    if family == socket.AF_INET6 and len(raw) >= _SHORTEST_INET6:
        ip = raw[8:24]
        return InternetName(ip[12:] if ip.startswith(_MAPPED) else ip, struct.unpack_from(">H", raw, 2)[0])
    return None


def pack(domain, ip, port):
    """An address of 4 bytes for a socket of this domain."""
    if domain == socket.AF_INET:
        return struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + ip + bytes(8)
    return struct.pack("=H", socket.AF_INET6) + struct.pack(">HI", port, 0) + _MAPPED + ip + bytes(4)


def with_port(raw, port):
    """The same IPv4 or IPv6 address with another port."""
    return raw[:2] + struct.pack(">H", port) + raw[4:]
