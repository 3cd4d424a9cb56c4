"""Which request a line of output belongs to, in apps that uvicorn serves (`fal.App`, `serve=True`, plain FastAPI).

Around each request a context variable holds its output; asyncio and the thread pools of the frameworks hand the context on, so
whatever prints for a request finds it. Its lines leave the process whole, each behind a mark with the labels:

    NUL token NUL labels (JSON) NUL line LF

The init knows the token and turns it into labels of the `log` frame (log_lines.py). What is written past `sys.stdout` and
`sys.stderr` (C code, other programs) has no labels.
"""

import contextvars
import io
import json
import sys
import threading

from .import_hooks import after_import

# As the official runtime names them.
_LABEL_OF_HEADER = {b"x-fal-request-id": "fal_request_id", b"x-fal-endpoint": "fal_endpoint"}
_MAX_LABEL_CHARS = 300
# With its mark a piece stays below the longest line of a frame, whatever its characters.
_MAX_PIECE_CHARS = 15_000

_output = contextvars.ContextVar("lanner_request_output", default=None)


def install(mark):
    """In the app process, before its code runs. `mark`: what labelled lines begin with."""
    sys.stdout, sys.stderr = _labelled(sys.stdout, mark), _labelled(sys.stderr, mark)
    after_import("uvicorn.config", _patch_uvicorn)


def _labelled(stream, mark):
    """The stream itself where it is none of the usual kind."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    options = {"encoding": stream.encoding, "errors": stream.errors, "line_buffering": stream.line_buffering}
    labelled = _LabelledStream(stream.buffer, write_through=stream.write_through, **options)
    labelled.mode, labelled.mark = "w", mark
    return labelled


class _LabelledStream(io.TextIOWrapper):
    def write(self, text):
        output = _output.get()
        if output is None or not isinstance(text, str):
            return super().write(text)
        lines = output.complete(self, text)
        if lines:
            self.write_lines(lines, output.labels)
        return len(text)

    def write_lines(self, lines, labels):
        self.flush()
        mark = self.mark + labels + b"\0"
        pieces = (line[at : at + _MAX_PIECE_CHARS] for line in lines for at in range(0, len(line) or 1, _MAX_PIECE_CHARS))
        data = b"".join(mark + piece.encode(self.encoding, self.errors) + b"\n" for piece in pieces)
        view = memoryview(data)
        while view:
            view = view[self.buffer.write(view) :]
        self.buffer.flush()


class _RequestOutput:
    """What one request has printed and not ended with a line feed, by stream and thread."""

    def __init__(self, labels):
        self.labels = json.dumps(labels).encode()
        self._partials = {}

    def complete(self, stream, text):
        """The lines that `text` completes."""
        key = (stream, threading.get_ident())
        text = self._partials.pop(key, "") + text
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if end < len(text):
            self._partials[key] = text[end:]
        if not end:
            return []
        lines = text[:end].replace("\r\n", "\n").split("\n")
        if not lines[-1]:
            lines.pop()
        return [part for line in lines for part in _repaints(line)]

    def end(self):
        for (stream, _), text in list(self._partials.items()):
            stream.write_lines([text], self.labels)
        self._partials.clear()


def _repaints(line):
    """A CR ends a line as well (progress bars repaint with it); what is empty between two of them is none."""
    return [part for part in line.split("\r") if part] if "\r" in line else [line]


def _patch_uvicorn(config_module):
    config_class = getattr(config_module, "Config", None)
    load = getattr(config_class, "load", None)
    if load is None:
        return

    def load_labelled(self):
        load(self)
        if getattr(self, "loaded_app", None) is not None:
            self.loaded_app = _LabelledApp(self.loaded_app)

    config_class.load = load_labelled


class _LabelledApp:
    """An ASGI app around the real one."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        labels = _labels_of(scope)
        if not labels:
            return await self._app(scope, receive, send)
        output = _RequestOutput(labels)
        token = _output.set(output)
        try:
            return await self._app(scope, receive, send)
        finally:
            _output.reset(token)
            output.end()


def _labels_of(scope):
    labels = {}
    for name, value in scope.get("headers") or ():
        label = _LABEL_OF_HEADER.get(name)
        if label is not None:
            labels[label] = value.decode("latin-1")[:_MAX_LABEL_CHARS]
    return labels
