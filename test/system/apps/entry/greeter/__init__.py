"""A package whose app is found by its entry point on the platform, not pickled from here."""

import fal
from pydantic import BaseModel


class Greeting(BaseModel):
    name: str = "you"


class Greeter(fal.App):
    def setup(self):
        self.word = "hello"

    @fal.endpoint("/greet")
    def greet(self, greeting: Greeting) -> dict:
        return {"text": f"{self.word} {greeting.name}"}


@fal.function(serve=True)
def doubled(x: int) -> int:
    return 2 * x
