"""Functions that serve HTTP by themselves or through the SDK."""

import fal
from fal.sdk import ApplicationHealthCheckConfig
from fastapi import Response


def _health(path):
    """Only the path is given: the platform chooses the method."""
    return ApplicationHealthCheckConfig(
        path=path, start_period_seconds=None, timeout_seconds=None, failure_threshold=None, call_regularly=None
    )


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


@fal.function(exposed_port=8000)
def plain_server():
    _serve(8000, {"/": (200, "plain")})


@fal.function(exposed_port=8080, health_check_config=_health("/alive"))
def with_health_path():
    _serve(8080, {"/": (200, "served"), "/alive": (200, "alive"), "/health": (502, "not this one")})


@fal.function(exposed_port=8000, startup_timeout=4)
def on_another_port():
    _serve(8080, {"/": (200, "other")})


@fal.function(serve=True, exposed_port=7070)
def served(x: int = 1) -> dict:
    return {"doubled": 2 * x}


class Watched(fal.App):
    """Its own health check, while `/health` says that it is ill."""

    @fal.endpoint("/check", health_check=fal.HealthCheck())
    def check(self) -> dict:
        return {"checked": True}

    @fal.endpoint("/health")
    def health(self) -> Response:
        return Response(status_code=502, content=b"ill")

    @fal.endpoint("/")
    def root(self) -> dict:
        return {"ok": True}
