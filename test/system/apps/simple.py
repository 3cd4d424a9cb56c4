"""An app that shows what it sees; used by the whole-system tests."""

import os
import time

import fal
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Numbers(BaseModel):
    a: int
    b: int = 1


class SimpleApp(fal.App, keep_alive=60, max_concurrency=2, max_multiplexing=2):
    machine_type = "S"

    def setup(self):
        self.started = time.time()
        self.calls = 0

    @fal.endpoint("/")
    def add(self, numbers: Numbers) -> dict:
        self.calls += 1
        return {"sum": numbers.a + numbers.b, "pid": os.getpid(), "calls": self.calls, "job": os.environ.get("FAL_JOB_ID")}

    @fal.endpoint("/echo")
    async def echo(self, request: Request) -> dict:
        body = await request.body()
        return {"headers": dict(request.headers), "length": len(body), "query": dict(request.query_params)}

    @fal.endpoint("/slow")
    def slow(self, seconds: float = 1.0) -> dict:
        time.sleep(seconds)
        return {"slept": seconds}

    @fal.endpoint("/status")
    def status(self, code: int) -> Response:
        return Response(status_code=code, content=b"as asked")

    @fal.endpoint("/events")
    def events(self) -> StreamingResponse:
        def produce():
            for i in range(3):
                yield f"data: {i}\n\n"
                time.sleep(0.3)

        return StreamingResponse(produce(), media_type="text/event-stream")

    @fal.realtime("/realtime")
    def double(self, numbers: Numbers) -> dict:
        return {"sum": numbers.a * 2}

    @fal.endpoint("/exit")
    def exit(self) -> dict:
        os._exit(3)

    @fal.endpoint("/env")
    def env(self) -> dict:
        return {k: v for k, v in os.environ.items() if k.startswith("FAL_") and "KEY" not in k}
