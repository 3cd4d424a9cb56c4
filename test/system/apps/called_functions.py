"""Functions that the whole-system tests call from Python code."""

import fal
import pydantic
from pydantic import BaseModel


class Custom(Exception):
    def __init__(self, text, number):
        super().__init__(text, number)
        self.number = number


class Model(BaseModel):
    x: int
    inner: dict[str, list[int]] = {}


@fal.function(keep_alive=0)
def add(a, b=1):
    return a + b


@fal.function()
def raises_chain():
    try:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise Custom("middle", 2) from error
    except Custom as error:
        raise RuntimeError("outer") from error


def _setup_raises():
    raise Custom("from setup", 3)


@fal.function(setup_function=_setup_raises)
def with_bad_setup(state):
    return 1


def _setup_unpicklable():
    return (number for number in range(3))


@fal.function(setup_function=_setup_unpicklable)
def with_unpicklable_setup(state, a, b=0):
    return [type(state).__name__, a, b]


@fal.function()
def imports_what_is_missing():
    import numpy_not_there

    return numpy_not_there


@fal.function()
def returns_generator():
    return (number for number in range(3))


@fal.function()
def returns_coroutine():
    async def answer():
        return 5

    return answer()


@fal.function(requirements=[f"pydantic=={pydantic.__version__}"])
def round_trip(model: Model) -> Model:
    return model.model_copy(update={"x": model.x + 1})


@fal.function()
def sigkill():
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


@fal.function()
def environment():
    import os

    return dict(os.environ)


@fal.function(secrets=[])
def environment_without_secrets():
    import os

    return dict(os.environ)


@fal.function(secrets=["LISTED", "FAL_KEY"])
def environment_with_listed():
    import os

    return dict(os.environ)


@fal.function()
def calls_another():
    return add(1, 2)


@fal.function()
def waits(number):
    import time

    started = time.time()
    time.sleep(1)
    return [number, started]


@fal.function(machine_type=["L", "M"], keep_alive=0)
def host():
    import socket

    return socket.gethostname()


@fal.function(serve=True)
def served(a: int, b: int = 2) -> int:
    return a * b


@fal.function(kind="container")
def in_container(a=1):
    return a


@fal.function()
def result_of_a_module_of_its_own():
    import sys
    import types

    module = types.ModuleType("only_here")
    exec("class Thing:\n    pass\n", module.__dict__)
    sys.modules["only_here"] = module
    return module.Thing()


@fal.function()
def bytes_of(count):
    return b"y" * count
