/** A server on all addresses, as official apps bind; answers its runner's host name. */
export const httpServer = (port: number): string => `
def main():
    import http.server, os
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == '/post-only':
                return self.answer(405, b'')
            if self.path == '/sick':
                return self.answer(500, b'')
            self.answer(200, os.environ['HOSTNAME'].encode())
        def do_POST(self):
            self.answer(200, b'posted')
        def answer(self, status, body):
            self.send_response(status)
            self.send_header('content-length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *args):
            pass
    print('binding')
    http.server.ThreadingHTTPServer(('0.0.0.0', ${port}), Handler).serve_forever()
`;

/** Never listens. */
export const sleeper = `
def main():
    import time
    print('sleeping')
    while True:
        time.sleep(3600)
`;
