"""An app that shows what it was called with, and one way of ending badly after another, for the tests of the clients."""

import asyncio
from typing import Optional

import fal
from fal.exceptions import FieldException
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Seconds(BaseModel):
    seconds: float = 0
    note: Optional[str] = None


class Calls(fal.App, keep_alive=300, max_concurrency=1, max_multiplexing=20):
    machine_type = "S"

    def setup(self):
        self.cancelled = {}

    async def _show(self, request: Request) -> dict:
        text = (await request.body()).decode()
        print("shown:", text, flush=True)
        return {
            "path": request.url.path,
            "body": text,
            "query": request.url.query,
            "headers": dict(request.headers),
            "id": request.headers["x-fal-request-id"],
        }

    @fal.endpoint("/")
    async def root(self, request: Request) -> dict:
        return await self._show(request)

    @fal.endpoint("/deeper/grüße")
    async def deeper(self, request: Request) -> dict:
        return await self._show(request)

    @fal.endpoint("/bare")
    async def bare(self) -> str:
        return "only a text"

    @fal.endpoint("/typed")
    async def typed(self, input: Seconds) -> dict:
        if input.note == "unwanted":
            raise FieldException(field="note", message="not this note")
        print(f"slept {input.seconds}", flush=True)
        await asyncio.sleep(input.seconds)
        return {"note": input.note}

    @fal.endpoint("/until-cancelled")
    async def until_cancelled(self, request: Request) -> Response:
        event = self.cancelled.setdefault(request.headers["x-fal-request-id"], asyncio.Event())
        await asyncio.wait_for(event.wait(), 60)
        return Response('{"detail": "cancelled, as asked"}', status_code=499, media_type="application/json")

    @fal.endpoint("/until-cancelled/cancel")
    async def cancel(self, request: Request) -> dict:
        self.cancelled.setdefault(request.headers["x-fal-request-id"], asyncio.Event()).set()
        return {}

    @fal.endpoint("/stream")
    async def stream(self, input: Seconds) -> StreamingResponse:
        async def events():
            for step in ("one", "two"):
                yield f'data: {{"step": "{step}"}}\n\n'
                await asyncio.sleep(input.seconds)

        return StreamingResponse(events(), media_type="text/event-stream")
