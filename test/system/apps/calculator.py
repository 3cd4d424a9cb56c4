"""Small endpoints for workflows to call. Every call is noted, so that a test can count them."""

import asyncio

import fal
from pydantic import BaseModel


class Pair(BaseModel):
    a: int
    b: int
    seconds: float = 0


class Value(BaseModel):
    value: int


class Calculator(fal.App, keep_alive=120, max_concurrency=1, max_multiplexing=8):
    machine_type = "S"

    def _note(self, text: str) -> None:
        with open("/data/calculator.txt", "a") as file:
            file.write(f"{text}\n")

    @fal.endpoint("/add")
    async def add(self, pair: Pair) -> Value:
        self._note(f"add {pair.a} {pair.b}")
        await asyncio.sleep(pair.seconds)
        return Value(value=pair.a + pair.b)

    @fal.endpoint("/multiply")
    async def multiply(self, pair: Pair) -> Value:
        self._note(f"multiply {pair.a} {pair.b}")
        await asyncio.sleep(pair.seconds)
        return Value(value=pair.a * pair.b)
