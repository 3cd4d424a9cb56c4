"""What the tests of addresses share: servers to run, addresses to give, and a case with one supervisor per class."""

import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from driver import any_address
from modes import ModeCase

SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.environ['NAME']} {self.path}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
def main():
    http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
# bind and listen past every Python class, as a native server does.
NATIVE = """
import ctypes, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
def name(ip, port):
    return struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + socket.inet_aton(ip) + bytes(8)
def native(call, fd, ip, port):
    if getattr(libc, call)(fd, name(ip, port), 16) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def serve(ip, port):
    sock = socket.socket()
    native("bind", sock.fileno(), ip, port)
    if libc.listen(sock.fileno(), 16) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return sock
"""


def machine_address():
    """An address of this machine that is not a loopback one, or None."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def is_open(address, port):
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((address, port)) == 0


class Case(ModeCase):
    def setUp(self):
        self.own = any_address()

    def start(self, source, **fields):
        return super().start(source, **{"address": self.own, "env": {"OWN": self.own}, **fields})
