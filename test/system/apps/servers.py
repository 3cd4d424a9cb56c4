"""Functions that serve HTTP by themselves or through the SDK."""

import fal


def _serve(port, answers):
    """Answers GET only: {path: (status, text)}."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, text = answers.get(self.path, (404, "nothing here"))
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()


@fal.function(exposed_port=8000, health_check_config=None)
def plain_server():
    _serve(8000, {"/": (200, "plain")})


@fal.function(exposed_port=8080, health_check_config=fal.api.HealthCheck(path="/alive"))
def with_health_path():
    _serve(8080, {"/": (200, "served"), "/alive": (200, "alive"), "/health": (502, "not this one")})


@fal.function(exposed_port=8000, startup_timeout=15)
def on_another_port():
    _serve(8080, {"/": (200, "other")})


@fal.function(serve=True, exposed_port=7070)
def served(x: int = 1) -> dict:
    return {"doubled": 2 * x}
