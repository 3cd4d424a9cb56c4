"""A throwaway app, served once in memory, so that everything lazy in the web framework has happened before a zygote forks.

It travels the way real apps do: pickled by value, which is a path of its own through pydantic and FastAPI. No socket, no thread,
nothing registered that an app could see afterwards.
"""

import asyncio
import sys
import types

# Compiled under a module name that cannot be imported, so that cloudpickle sends its classes by value.
_SOURCE = '''
from contextlib import asynccontextmanager
from typing import Any, Optional

import fastapi
import pydantic
from fastapi.middleware.cors import CORSMiddleware


class Input(pydantic.BaseModel):
    text: str = pydantic.Field(default="hello", description="anything", examples=["hi"])
    count: Optional[int] = pydantic.Field(default=None, ge=0)


class Output(pydantic.BaseModel):
    text: str
    tags: list[str] = []


class App:
    async def run(self, request: Input) -> Output:
        return Output(text=request.text)

    async def health(self) -> dict[str, Any]:
        return {}

    @asynccontextmanager
    async def lifespan(self, app):
        yield

    def build(self):
        app = fastapi.FastAPI(lifespan=self.lifespan)
        app.add_middleware(CORSMiddleware, allow_origins="*", allow_methods="*", allow_headers="*", allow_credentials=True)

        @app.middleware("http")
        async def headers(request, call_next):
            response = await call_next(request)
            response.headers["x-rehearsal"] = "1"
            return response

        @app.exception_handler(404)
        async def not_found(request, error):
            return fastapi.responses.JSONResponse({"detail": "not found"}, 404)

        app.add_api_route("/", self.run, methods=["POST"])
        app.add_api_route("/health", self.health, methods=["GET"])
        return app


def make():
    return App().build()
'''


def rehearse():
    """Serve the throwaway app. Returns what went wrong as text, or None; a zygote works without it, only slower."""
    try:
        import cloudpickle

        factory = cloudpickle.loads(cloudpickle.dumps(_factory()))
        # Not asyncio.run: it leaves a mark, after which asyncio.get_event_loop() fails where a fresh process makes a loop.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(_serve(factory()))
        finally:
            loop.close()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _factory():
    module = types.ModuleType("lanner_rehearsal")
    sys.modules[module.__name__] = module  # dataclass-like machinery looks itself up
    try:
        exec(compile(_SOURCE, "<rehearsal>", "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    return module.make


async def _serve(app):
    import uvicorn
    from uvicorn.lifespan.on import LifespanOn
    from uvicorn.server import ServerState

    config = uvicorn.Config(app, log_config=None, lifespan="on", loop="asyncio")
    config.load()
    lifespan = LifespanOn(config)
    await lifespan.startup()
    state = ServerState()
    for request in (_POST, _GET):
        transport = _Transport()
        protocol = config.http_protocol_class(config=config, server_state=state, app_state={})
        protocol.connection_made(transport)
        protocol.data_received(request)
        for _ in range(200):
            if transport.answered:
                break
            await asyncio.sleep(0)
        transport.is_closed = True
        protocol.connection_lost(None)
    await lifespan.shutdown()
    # Tasks of the protocol end on their own; the loop must not be closed under them.
    await asyncio.sleep(0)


_POST = (
    b"POST / HTTP/1.1\r\nhost: rehearsal\r\ncontent-type: application/json\r\norigin: http://rehearsal\r\n"
    b'content-length: 16\r\n\r\n{"text":"again"}'
)
_GET = b"GET /none HTTP/1.1\r\nhost: rehearsal\r\nconnection: close\r\n\r\n"


class _Transport(asyncio.Transport):
    """Swallows what the protocol writes."""

    def __init__(self):
        super().__init__()
        self.answered = False
        self.is_closed = False

    def get_extra_info(self, name, default=None):
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}.get(name, default)

    def write(self, data):
        self.answered = self.answered or b"}" in data

    def is_closing(self):
        return self.is_closed

    def close(self):
        self.is_closed = True

    def set_protocol(self, protocol):
        pass

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass
