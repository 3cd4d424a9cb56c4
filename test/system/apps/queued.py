"""An app whose calls can be counted from outside, for the tests of the queue."""

import asyncio
import os

import fal
from fastapi import Request, Response


class Queued(fal.App, keep_alive=120, max_concurrency=1, max_multiplexing=4):
    machine_type = "S"

    def setup(self):
        self.events = {}

    def _note(self, name: str) -> None:
        with open("/data/queued-runs.txt", "a") as file:
            file.write(f"{name}\n")

    @fal.endpoint("/")
    async def run(self, request: Request) -> dict:
        body = await request.json()
        print(f"working on {body.get('name')}", flush=True)
        self._note(str(body.get("name")))
        await asyncio.sleep(body.get("seconds", 0))
        return {"name": body.get("name"), "id": request.headers["x-fal-request-id"], "job": os.environ.get("FAL_JOB_ID")}

    @fal.endpoint("/long")
    async def long(self, request: Request) -> Response:
        event = self.events[request.headers["x-fal-request-id"]] = asyncio.Event()
        await event.wait()
        return Response(status_code=499, content=b'{"detail": "cancelled by the app"}', media_type="application/json")

    @fal.endpoint("/long/cancel")
    async def cancel(self, request: Request) -> dict:
        self.events[request.headers["x-fal-request-id"]].set()
        return {}

    @fal.endpoint("/status")
    async def status(self, request: Request) -> Response:
        code = (await request.json())["code"]
        return Response(status_code=code, content=b'{"detail": "as asked"}', media_type="application/json")

    @fal.endpoint("/large")
    async def large(self, request: Request) -> Response:
        body = await request.body()
        return Response(content=body + b" " * 300_000, media_type="application/json")
