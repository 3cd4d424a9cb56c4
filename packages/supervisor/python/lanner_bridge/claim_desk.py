"""How a runner gets the address that the supervisor has chosen for it, from the broker above its zygote.

    supervisor ── key ──► launcher, init of the sandbox ◄── claim: address, proof ── init of the runner ◄── start frame ── supervisor

The zygote in between has imported packages that nobody has checked. So the broker believes no address without a proof, which only the
supervisor can make, and asks the kernel who claims it. What a zygote could steal are proofs for addresses of its own runners.
"""

import hmac
import os
import select
import socket
import struct

from .address_holder import AddressHolder
from .claimed_address import ACCEPTED, PORT

_MAX_CLAIM_BYTES = 1024
_MAX_CLAIMS = 4096  # more runners than a zygote can tell apart
_CREDENTIALS = struct.Struct("iii")
_REFUSED = b"R"


def proof_of(key, address):
    """The supervisor makes it: packages/supervisor/src/sandbox/address-proof.ts."""
    return hmac.digest(key.encode(), address.encode(), "sha256").hex()


def create_desk():
    """(where claims arrive, where they are made). A claim is one packet."""
    proof_of("", "")  # the library behind it may read files at its first use: these are still the machine's
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ours.setblocking(False)
    return ours, theirs


class ClaimDesk:
    """In the init of the sandbox: gives addresses to those who prove that they are theirs, and tells them what listens there."""

    def __init__(self, desk, key, base, holders, listeners):
        self._desk = desk
        self._key = key
        self._holders = holders
        self._listeners = listeners
        self._taken = {base.address}
        self._claims = {}
        self._is_open = True

    def register(self, poll):
        if self._is_open:
            poll.register(self._desk, select.POLLIN)
        for fd, claim in self._claims.items():
            poll.register(fd, select.POLLOUT if claim.pending else 0)

    def serve(self, ready):
        for fd in [fd for fd in ready if fd in self._claims]:
            if ready[fd] & (select.POLLHUP | select.POLLERR):
                self._release(fd)
            else:
                self._claims[fd].flush()
        if self._is_open and self._desk.fileno() in ready:
            self._receive()

    def _receive(self):
        try:
            message, ancillary, _, _ = self._desk.recvmsg(_MAX_CLAIM_BYTES, 256, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            return
        if not ancillary:  # nobody is left who could claim
            self._is_open = False
            self._desk.close()
            return
        pid, channels = _read_ancillary(ancillary)
        if not channels:
            return
        channel, *others = channels
        for other in others:
            other.close()
        channel.setblocking(False)
        try:
            self._accept(channel, message, pid)
        except (OSError, ValueError) as error:
            _say(channel, _REFUSED + str(error).encode())
            channel.close()

    def _accept(self, channel, message, pid):
        address, _, proof = message.decode().partition(" ")
        if not hmac.compare_digest(proof_of(self._key, address).encode(), proof.encode()):
            raise PermissionError("the supervisor has not given it")
        self._release_if_gone(address)
        if address in self._taken or len(self._claims) >= _MAX_CLAIMS:
            raise PermissionError("it is taken")
        claim = _Claim(channel, address)
        claim.key = self._holders.add(pid, AddressHolder(address, self._listeners, claim.tell))
        self._taken.add(address)
        self._claims[channel.fileno()] = claim
        _say(channel, ACCEPTED)

    def _release_if_gone(self, address):
        """Its last holder may have ended in this very turn."""
        for fd, claim in self._claims.items():
            if claim.address == address:
                poll = select.poll()
                poll.register(fd, 0)
                if poll.poll(0):
                    self._release(fd)
                return

    def _release(self, fd):
        claim = self._claims.pop(fd)
        self._taken.discard(claim.address)
        self._holders.remove(claim.key)
        claim.channel.close()


class _Claim:
    def __init__(self, channel, address):
        self.channel = channel
        self.address = address
        self.key = None
        self.pending = b""

    def tell(self, port):
        self.pending += PORT.pack(port)
        self.flush()

    def flush(self):
        try:
            self.pending = self.pending[self.channel.send(self.pending, socket.MSG_NOSIGNAL) :]
        except OSError:
            pass  # full: the poll loop tells when there is room; or gone: it tells that too


def _read_ancillary(ancillary):
    """(the sender's pid as the kernel knows it, sockets that came along)."""
    pid, channels = 0, []
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
        elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            for (fd,) in struct.iter_unpack("i", data[: len(data) - len(data) % 4]):
                channels.append(fd)
    return pid, [sock for sock in map(_as_socket, channels) if sock is not None]


def _as_socket(fd):
    try:
        return socket.socket(fileno=fd)
    except OSError:  # no socket at all
        os.close(fd)
        return None


def _say(channel, message):
    try:
        channel.send(message, socket.MSG_NOSIGNAL)
    except OSError:
        pass
