"""Frames of docs/protocols/bridge.md: u32 header length, u32 payload length, JSON header, payload."""

import json
import struct

MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = (1 << 31) - 1
PREFIX = struct.Struct(">II")

_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class FrameError(Exception):
    """The peer broke a limit or sent something that is no frame; the connection is of no further use."""


def encode_head(header, payload_bytes=0):
    """Everything of a frame but its payload. Lone surrogates in strings are replaced, so that UTF-8 always works."""
    text = _encode_json(header).encode("utf-8", "replace")
    if len(text) > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise FrameError(f"frame too large: header {len(text)} bytes, payload {payload_bytes} bytes")
    return PREFIX.pack(len(text), payload_bytes) + text


def decode_prefix(prefix):
    """(header bytes, payload bytes) announced by the first eight bytes of a frame."""
    header_bytes, payload_bytes = PREFIX.unpack(prefix)
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise FrameError(f"frame too large: header {header_bytes} bytes, payload {payload_bytes} bytes")
    return header_bytes, payload_bytes


def decode_header(raw):
    """The header object of a frame."""
    try:
        header = json.loads(bytes(raw))
    except ValueError as error:
        raise FrameError(f"the header is not JSON: {error}") from None
    if not isinstance(header, dict) or not isinstance(header.get("type"), str):
        raise FrameError("the header is not an object with a type")
    return header


def send_frame(sock, header, payload=b""):
    """Send one frame over a blocking socket."""
    sock.sendall(encode_head(header, len(payload)))
    if payload:
        sock.sendall(payload)


def receive_frame(sock):
    """Read one frame from a blocking socket: (header, payload), or None at the end of the connection."""
    prefix = _receive_exactly(sock, PREFIX.size, may_end=True)
    if prefix is None:
        return None
    header_bytes, payload_bytes = decode_prefix(prefix)
    header = decode_header(_receive_exactly(sock, header_bytes))
    return header, _receive_exactly(sock, payload_bytes)


def _receive_exactly(sock, count, may_end=False):
    # recv_into a buffer that grows: a peer that announces 2 GiB and sends nothing costs nothing.
    data = bytearray(min(count, 1 << 20))
    filled = 0
    while filled < count:
        if filled == len(data):
            data.extend(bytes(min(len(data), count - filled)))
        with memoryview(data) as view:
            got = sock.recv_into(view[filled:])
        if got == 0:
            if may_end and filled == 0:
                return None
            raise FrameError("the connection ended inside a frame")
        filled += got
    return data


class FrameParser:
    """Cuts a byte stream into headers, for peers that send small frames only; payloads are skipped, not kept."""

    def __init__(self):
        self._buffer = bytearray()
        self._skip = 0

    def feed(self, data):
        """Take bytes as they came; yield the header of every frame that is complete."""
        self._buffer += data
        while True:
            if self._skip:
                skipped = min(self._skip, len(self._buffer))
                del self._buffer[:skipped]
                self._skip -= skipped
            if self._skip or len(self._buffer) < PREFIX.size:
                return
            header_bytes, payload_bytes = decode_prefix(bytes(self._buffer[: PREFIX.size]))
            end = PREFIX.size + header_bytes
            if len(self._buffer) < end:
                return
            header = decode_header(self._buffer[PREFIX.size : end])
            del self._buffer[:end]
            self._skip = payload_bytes
            yield header
