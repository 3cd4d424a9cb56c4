"""The app of the chaos campaign: notes every execution where it can be counted, and answers with what it was asked."""

import asyncio
import time

import fal
from fastapi import Request


class Chaos(fal.App, keep_alive=600, min_concurrency=1, max_concurrency=3, max_multiplexing=4):
    machine_type = "S"

    @fal.endpoint("/")
    async def run(self, request: Request) -> dict:
        body = await request.json()
        number = body["number"]
        with open("/data/chaos.txt", "a") as file:
            file.write(f"{request.headers['x-fal-request-id']} {number} {time.time()}\n")
        await asyncio.sleep(body["seconds"])
        return {"number": number, "square": number * number, "padding": "x" * body["padding"]}
