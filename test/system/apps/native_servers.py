"""Servers past Python's sockets, both on the port everybody likes, on every interface."""

import fal


@fal.function(exposed_port=8080, keep_alive=60)
def subprocess_server():
    """A program started anew: nothing of the app's process is in it."""
    import os
    import subprocess
    import sys
    import tempfile

    folder = tempfile.mkdtemp()
    with open(os.path.join(folder, "index.html"), "w") as file:
        file.write("subprocess")
    subprocess.run([sys.executable, "-m", "http.server", "8080", "--bind", "0.0.0.0"], cwd=folder, check=True)


@fal.function(exposed_port=8080, keep_alive=60)
def native_server():
    """`bind` and `listen` of the C library, as a server written in C calls them. It tells where it is, and what it can reach."""
    import ctypes
    import json
    import socket
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Native(ThreadingHTTPServer):
        def server_bind(self):
            name = b"\x02\x00" + (8080).to_bytes(2, "big") + bytes(12)  # AF_INET, 0.0.0.0
            assert ctypes.CDLL(None).bind(self.socket.fileno(), name, len(name)) == 0
            self.server_name, self.server_port = "native", 8080

        def server_activate(self):
            assert ctypes.CDLL(None).listen(self.socket.fileno(), 16) == 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            said = {"address": self.server.socket.getsockname()[0]}
            if self.path.startswith("/reach/"):
                host, port = self.path.removeprefix("/reach/").split(":")
                said["errno"] = socket.socket().connect_ex((host, int(port)))
            body = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    Native(("0.0.0.0", 8080), Handler).serve_forever()
