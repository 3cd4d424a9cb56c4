"""PID 1 of a runner: relays the app's output and reports, delivers signals, reaps, and ends everything when the connection ends.

One poll loop, nothing blocks. Back-pressure: while more than HIGH_WATER_BYTES wait to be sent, the app's pipes are not read,
so a printing app is slowed down instead of filling memory.
"""

import os
import select
import signal
import socket

from .app_reports import ReportReader
from .frames import FrameError, FrameParser, encode_head
from .log_lines import LineCutter, encode_log_frames
from .process_tree import drain, kill_descendants, reap, send_signal, wake_on_signals

HIGH_WATER_BYTES = 256 << 10
_READ_BYTES = 64 << 10
# After the app's end: silence of the pipes that means nobody writes any more. (A process that escaped a process group may hold a
# pipe open for ever; inside a PID namespace none can.)
_SILENCE_MS = 1000
# One pipe holds 64 KiB; what an app printed before a report is therefore within so many reads.
_READS_BEFORE_REPORT = 4


class RunnerInit:
    """States: the app runs → it has ended and its output is being read → the `exit` frame is being sent."""

    def __init__(self, connection, app, pipes, is_namespace_init, address, claimed):
        self._connection = connection
        self._app = app
        self._is_namespace_init = is_namespace_init
        self._app_status = None
        self._output = bytearray()
        self._streams = {pipes.stdout: ("stdout", LineCutter()), pipes.stderr: ("stderr", LineCutter())}
        self._mark = pipes.mark
        self._reports = ReportReader(pipes.control)
        self._commands = FrameParser()
        self._address = address
        # Tells what listens there, where the kernel helps with addresses.
        self._claimed = claimed
        # Frames of our own, until no report is being sent.
        self._frames = bytearray()
        connection.setblocking(False)
        for fd in self._streams:
            os.set_blocking(fd, False)

    def serve(self):
        """Until the exit frame is sent or the connection ends; returns the exit status."""
        self._wake = wake_on_signals(signal.SIGCHLD)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        self._collect()  # the app may have ended before its end could wake us
        try:
            while not self._is_finished():
                self._turn()
        except (ConnectionError, FrameError):
            pass
        self._kill()
        return 0 if self._app_status == 0 else 1

    def _is_finished(self):
        if self._app_status is None:
            return False
        if self._streams or self._reports.is_open or self._reports.is_sending or self._frames or self._output:
            return False
        self._send_exit()
        return True

    def _turn(self):
        has_room = len(self._output) < HIGH_WATER_BYTES
        # A report is one frame: nothing else may be sent between its chunks.
        takes_input = has_room and not self._reports.is_sending
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._connection, select.POLLIN | (select.POLLOUT if self._output else 0))
        if self._claimed and self._claimed.is_open:
            poll.register(self._claimed, select.POLLIN)
        if takes_input:
            for fd in self._streams:
                poll.register(fd, select.POLLIN)
            if self._reports.is_open:
                poll.register(self._reports.fileno(), select.POLLIN)
        timeout_ms = None
        if has_room and self._reports.is_sending:
            timeout_ms = 0
        elif takes_input and self._app_status is not None:
            timeout_ms = _SILENCE_MS
        ready = dict(poll.poll(timeout_ms))
        if self._claimed and self._claimed.fileno() in ready:
            self._tell_listening()
        if not ready and timeout_ms == _SILENCE_MS:
            self._close_streams()
        if self._wake in ready:
            drain(self._wake)
            self._collect()
        if ready.get(self._connection.fileno(), 0) & ~select.POLLOUT:
            self._obey()
        # Reports first: the app reports `setup` before it prints. A result waits for what was printed before it.
        if self._reports.is_open and self._reports.fileno() in ready:
            self._take_report()
        if not self._reports.is_sending:
            for fd in [fd for fd in self._streams if fd in ready]:
                self._relay(fd)
        elif len(self._output) < HIGH_WATER_BYTES:
            self._output += self._reports.next_chunk()
        if self._frames and not self._reports.is_sending:
            self._output += self._frames
            self._frames.clear()
        self._flush()

    def _tell_listening(self):
        for port in self._claimed.new_ports():
            self._frames += encode_head({"type": "listening", "port": port, "address": self._address})

    def _take_report(self):
        if self._reports.receive() == "result":
            for fd in list(self._streams):
                for _ in range(_READS_BEFORE_REPORT):
                    if not self._relay(fd):
                        break

    def _relay(self, fd):
        """Pass on one read of a pipe. False: nothing more for now."""
        stream, cutter = self._streams[fd]
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return False
        lines = cutter.feed(data) if data else cutter.end()
        if lines:
            self._output += encode_log_frames(stream, lines, self._mark)
        if not data:
            os.close(fd)
            del self._streams[fd]
        return bool(data)

    def _obey(self):
        try:
            data = self._connection.recv(_READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError("the supervisor closed the connection")
        for header in self._commands.feed(data):
            if header["type"] == "stop":
                self._signal_app(header.get("signal", "SIGTERM"))
            elif header["type"] == "kill":
                self._kill()

    def _signal_app(self, name):
        number = getattr(signal.Signals, str(name), signal.SIGTERM)
        if self._app_status is None:
            send_signal(self._app, number)

    def _collect(self):
        for pid, status in reap():
            self._on_ended(pid, status)
        if self._app_status is not None:
            self._kill()
            if self._claimed:
                self._tell_listening()  # what the app did last

    def _on_ended(self, pid, status):
        if pid == self._app:
            self._app_status = status

    def _kill(self):
        group = self._app if self._app_status is None else None
        kill_descendants(self._is_namespace_init, group, self._on_ended)

    def _close_streams(self):
        for fd in list(self._streams):
            stream, cutter = self._streams[fd]
            self._output += encode_log_frames(stream, cutter.end(), self._mark)
            os.close(fd)
        self._streams.clear()
        self._reports.close()

    def _flush(self):
        while self._output:
            try:
                sent = self._connection.send(memoryview(self._output)[:HIGH_WATER_BYTES], socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            del self._output[:sent]

    def _send_exit(self):
        code = os.waitstatus_to_exitcode(self._app_status)
        ended_by = signal.Signals(-code).name if code < 0 else None
        frame = encode_head({"type": "exit", "code": code if code >= 0 else None, "signal": ended_by})
        self._connection.setblocking(True)
        self._connection.sendall(frame)
        self._connection.shutdown(socket.SHUT_WR)
