"""Every kind of socket and stream that an app can have."""

import asyncio
import json
import os
from typing import Any, AsyncIterator, Iterator

import fal
from fastapi import WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Number(BaseModel):
    value: int


class Doubled(BaseModel):
    value: int


def encode_json(message: Any) -> bytes:
    return json.dumps(message).encode()


class Sockets(fal.App):
    machine_type = "S"
    keep_alive = 300
    min_concurrency = 0
    max_multiplexing = 20
    max_concurrency = 1

    def setup(self):
        self.calls = 0

    @fal.endpoint("/")
    def double(self, number: Number) -> Doubled:
        self.calls += 1
        return Doubled(value=number.value * 2)

    @fal.endpoint("/stream")
    def count(self, number: Number):
        def events():
            for step in range(number.value):
                yield f"data: {json.dumps({'step': step, 'text': 'grüße 🚀'}, ensure_ascii=False)}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    @fal.endpoint("/large")
    def large(self, number: Number):
        return StreamingResponse((b"x" * 1_000_000 for _ in range(number.value)), media_type="application/octet-stream")

    @fal.realtime("/realtime")
    def realtime(self, number: Number) -> Doubled:
        if number.value < 0:
            raise ValueError("no negative numbers")
        return Doubled(value=number.value * 2)

    @fal.realtime("/realtime/short", session_timeout=0.3)
    def short(self, number: Number) -> Doubled:
        return Doubled(value=number.value)

    @fal.realtime("/realtime/json", content_type="application/json", encode_message=encode_json, decode_message=json.loads)
    def json_codec(self, number: Number) -> Doubled:
        return Doubled(value=number.value + 1)

    @fal.realtime("/realtime/server")
    async def server_streaming(self, number: Number) -> AsyncIterator[Doubled]:
        for step in range(number.value):
            yield Doubled(value=step)

    @fal.realtime("/realtime/client", session_timeout=0.2)
    async def client_streaming(self, numbers: AsyncIterator[Number]) -> Doubled:
        return Doubled(value=sum([number.value async for number in numbers]))

    @fal.realtime("/realtime/bidi")
    async def bidi(self, numbers: AsyncIterator[Number]) -> AsyncIterator[Doubled]:
        async for number in numbers:
            yield Doubled(value=number.value * 10)

    @fal.endpoint("/raw", is_websocket=True)
    async def raw(self, websocket: WebSocket) -> None:
        await websocket.accept()
        for index in range(3):
            await websocket.send_json({"message": index})
        await websocket.close()

    @fal.endpoint("/echo", is_websocket=True)
    async def echo(self, websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                print("echo left with", message.get("code"))
                return
            text = message.get("text")
            if text == "crash":
                os._exit(1)
            if text is not None and text.startswith("close "):
                await websocket.close(int(text.split()[1]), "as asked")
                return
            await (websocket.send_text(text) if text is not None else websocket.send_bytes(message["bytes"]))

    @fal.endpoint("/refuse", is_websocket=True)
    async def refuse(self, websocket: WebSocket) -> None:
        await websocket.close(4000)
