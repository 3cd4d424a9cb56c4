"""Frames that the app process sends through its init: `setup`, `listening`, `result`, `log`.

A report is written whole into a nameless file, and its descriptor is passed over a socket pair. So a process that dies while it
reports never breaks the stream of frames, and a result of a gigabyte is never in the init's memory.
"""

import array
import os
import socket
import stat
import sys
import tempfile

from .frames import PREFIX, FrameError, decode_header, decode_prefix, encode_head

_ALLOWED = ("setup", "listening", "result", "log")
_CHUNK_BYTES = 128 << 10


def send_report(sock, header, payload=b""):
    """In the app process: hand one frame to the init. Blocks only while the init is behind."""
    fd = _nameless_file()
    try:
        _write_all(fd, encode_head(header, len(payload)))
        _write_all(fd, payload)
        socket.send_fds(sock, [b"F"], [fd])
    finally:
        os.close(fd)


def _nameless_file():
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lanner-report", os.MFD_CLOEXEC)
    fd, path = tempfile.mkstemp()
    os.unlink(path)
    return fd


def _write_all(fd, data):
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(fd, view) :]


class ReportReader:
    """In the init: takes reports one at a time and gives out their bytes in chunks."""

    def __init__(self, sock):
        self._sock = sock
        self._file = None
        self._remaining = 0
        self.is_open = True
        sock.setblocking(False)

    def fileno(self):
        return self._sock.fileno()

    @property
    def is_sending(self):
        """A report has begun and is not given out completely."""
        return self._remaining > 0

    def receive(self):
        """Take the next report and say its type, or None. What is no report is dropped: the app may be anything."""
        try:
            data, ancillary, _, _ = self._sock.recvmsg(1, socket.CMSG_SPACE(4))
        except BlockingIOError:
            return None
        except ConnectionError:
            data, ancillary = b"", []
        if not data:
            self.close()
            return None
        fds = array.array("i")
        for _, _, content in ancillary:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        for fd in fds[1:]:
            os.close(fd)
        return self._begin(fds[0]) if fds else None

    def _begin(self, fd):
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                raise FrameError("a report must be a file")
            header_bytes, payload_bytes = decode_prefix(_pread_exactly(fd, PREFIX.size, 0))
            header = decode_header(_pread_exactly(fd, header_bytes, PREFIX.size))
            if header["type"] not in _ALLOWED:
                raise FrameError(f"an app cannot send {header['type']}")
            if info.st_size < PREFIX.size + header_bytes + payload_bytes:
                raise FrameError("the report is incomplete")
        except (OSError, FrameError) as error:
            sys.stderr.write(f"runner: report ignored: {error}\n")
            os.close(fd)
            return None
        self._file, self._offset = fd, 0
        self._remaining = PREFIX.size + header_bytes + payload_bytes
        return header["type"]

    def next_chunk(self):
        """Up to 128 KiB of the report. The file may have shrunk since (the app has it too): the rest is zeros then."""
        count = min(_CHUNK_BYTES, self._remaining)
        chunk = os.pread(self._file, count, self._offset)
        chunk = chunk or bytes(count)
        self._offset += len(chunk)
        self._remaining -= len(chunk)
        if not self._remaining:
            os.close(self._file)
            self._file = None
        return chunk

    def close(self):
        if self.is_open:
            self.is_open = False
            self._sock.close()


def _pread_exactly(fd, count, offset):
    data = os.pread(fd, count, offset)
    if len(data) < count:
        raise FrameError("the report is incomplete")
    return data
