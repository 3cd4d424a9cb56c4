"""Output of a process, cut into lines and turned into `log` frames."""

import functools
import json
import time
from json.encoder import encode_basestring

from .frames import PREFIX

MAX_LINE_BYTES = 64 << 10
_MAX_LABELS_BYTES = 8 << 10


class LineCutter:
    """Cuts one stream into lines. LF, CR LF and CR end a line (as isolate does it: progress bars repaint with CR)."""

    def __init__(self):
        self._rest = b""

    def feed(self, data):
        """Complete lines of what came, without their ends. A line of more than 64 KiB comes in pieces."""
        data = self._rest + data
        if b"\r" in data:
            # A CR at the very end may be half a CR LF: it waits.
            waiting = data.endswith(b"\r")
            if waiting:
                data = data[:-1]
            data = data.replace(b"\r\n", b"\n")
            lines = _split_at_carriage_returns(data)
            if waiting:
                lines[-1] += b"\r"
        else:
            lines = data.split(b"\n")
        self._rest = lines.pop()
        while len(self._rest) > MAX_LINE_BYTES:
            piece, self._rest = _cut(self._rest)
            lines.append(piece)
        return [piece for line in lines for piece in _pieces(line)]

    def end(self):
        """What is left when the stream has ended."""
        rest, self._rest = self._rest.rstrip(b"\r"), b""
        return _pieces(rest) if rest else []


def _split_at_carriage_returns(data):
    lines = []
    for line in data.split(b"\n"):
        if b"\r" in line:
            *repaints, last = line.split(b"\r")
            lines += [repaint for repaint in repaints if repaint]
            lines.append(last)
        else:
            lines.append(line)
    return lines


def _pieces(line):
    pieces = []
    while len(line) > MAX_LINE_BYTES:
        piece, line = _cut(line)
        pieces.append(piece)
    pieces.append(line)
    return pieces


def _cut(line):
    """The longest head of at most 64 KiB that does not end inside a UTF-8 sequence, and the rest."""
    end = MAX_LINE_BYTES
    while end > MAX_LINE_BYTES - 4 and line[end] & 0xC0 == 0x80:
        end -= 1
    return line[:end], line[end:]


def encode_log_frames(stream, lines, mark):
    """The bytes of one `log` frame per line. Hand-made JSON: a printing loop makes hundreds of thousands of these.

    `mark`: lines that carry it have labels (request_labels.py).
    """
    head = f'{{"type":"log","stream":"{stream}","source":"user","level":"{stream}","atMs":{round(time.time() * 1000)},"line":'
    frames = []
    for line in lines:
        if mark in line:
            for text, labels in _unmark(line, mark):
                _append_frame(frames, head, text, labels)
        else:
            _append_frame(frames, head, line, "")
    return b"".join(frames)


def _append_frame(frames, head, line, labels):
    text = encode_basestring(line.decode("utf-8", "backslashreplace"))
    header = f"{head}{text}{labels}}}".encode("utf-8", "replace")
    frames.append(PREFIX.pack(len(header), 0))
    frames.append(header)


def _unmark(line, mark):
    """Texts and their labels. Something without a line feed may have come right before a mark."""
    before, *marked = line.split(mark)
    if before:
        yield before, ""
    for piece in marked:
        labels, _, text = piece.partition(b"\0")
        yield text, _labels_field(labels)


@functools.lru_cache(maxsize=256)
def _labels_field(data):
    """Labels as a field of a header. They come from the app process, which may have been told anything."""
    try:
        labels = json.loads(data) if len(data) <= _MAX_LABELS_BYTES else None
    except (ValueError, RecursionError):
        return ""
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        return ""
    return f',"labels":{json.dumps(labels)}'
