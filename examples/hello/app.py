"""The smallest app: one endpoint. Deploy it with `fal deploy examples/hello/app.py::Hello`."""

import fal
from pydantic import BaseModel


class Greeting(BaseModel):
    name: str = "world"


class Message(BaseModel):
    message: str


class Hello(fal.App, keep_alive=300, max_concurrency=4):
    machine_type = "S"

    @fal.endpoint("/")
    def greet(self, greeting: Greeting) -> Message:
        print(f"greeting {greeting.name}")
        return Message(message=f"Hello, {greeting.name}!")
