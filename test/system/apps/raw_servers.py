"""Functions with servers of their own on the port everybody likes, one of them broken."""

import fal


@fal.function(exposed_port=8080, keep_alive=60)
def plain_server():
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = b'{"server": "plain"}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()


@fal.function(exposed_port=8080, keep_alive=60)
def garbage_server():
    import socket

    server = socket.socket()
    server.bind(("0.0.0.0", 8080))
    server.listen()
    while True:
        connection, _ = server.accept()
        connection.recv(65536)
        connection.sendall(b"this is not HTTP at all\r\n\r\n")
        connection.close()
