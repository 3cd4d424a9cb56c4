"""An app with every way of answering: waiting, streaming, sockets, cancellation, refusing to end."""

import asyncio
import os
import time

import fal
from fastapi import Request, Response, WebSocket
from fastapi.responses import StreamingResponse


class Various(fal.App, keep_alive=120, max_concurrency=1):
    machine_type = "S"

    def setup(self):
        self.active = 0
        self.most_active = 0
        self.cancelled = {}

    @fal.endpoint("/")
    async def hello(self) -> dict:
        return {"job": os.environ.get("FAL_JOB_ID"), "active": self.active, "most_active": self.most_active}

    @fal.endpoint("/key")
    async def key(self) -> dict:
        return {"key": os.environ.get("FAL_KEY"), "run_host": os.environ.get("FAL_RUN_HOST")}

    @fal.endpoint("/nested")
    def nested(self, target: str) -> dict:
        import httpx

        url = "https://" + os.environ["FAL_RUN_HOST"] + "/" + target
        answer = httpx.post(url, headers={"Authorization": "Key " + os.environ["FAL_KEY"]}, json={})
        return {"answer": answer.json(), "job": os.environ.get("FAL_JOB_ID")}

    @fal.endpoint("/raise")
    def fail(self) -> dict:
        raise ValueError("on purpose")

    @fal.endpoint("/slow")
    async def slow(self, request: Request, seconds: float = 1.0) -> dict:
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.active -= 1
        return {"job": os.environ.get("FAL_JOB_ID"), "most_active": self.most_active}

    @fal.endpoint("/stuck")
    async def stuck(self) -> dict:
        time.sleep(600)
        return {}

    @fal.endpoint("/status")
    async def status(self, code: int) -> Response:
        return Response(status_code=code, content=b'{"detail": "as asked"}', media_type="application/json")

    @fal.endpoint("/stream")
    async def stream(self) -> StreamingResponse:
        async def produce():
            for i in range(3):
                yield f'data: {{"step": {i}}}\n\n'
                await asyncio.sleep(0.2)

        return StreamingResponse(produce(), media_type="text/event-stream")

    @fal.endpoint("/long")
    async def long(self, request: Request) -> Response:
        request_id = request.headers["x-fal-request-id"]
        event = self.cancelled[request_id] = asyncio.Event()
        await event.wait()
        return Response(status_code=499, content=b'{"detail": "cancelled"}', media_type="application/json")

    @fal.endpoint("/long/cancel")
    async def cancel(self, request: Request) -> dict:
        self.cancelled[request.headers["x-fal-request-id"]].set()
        return {}

    @fal.endpoint("/cancelled")
    async def list_cancelled(self) -> dict:
        return {"ids": {request_id: event.is_set() for request_id, event in self.cancelled.items()}}

    @fal.endpoint("/ws", is_websocket=True)
    async def ws(self, websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text[::-1])
