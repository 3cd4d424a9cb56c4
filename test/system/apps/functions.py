"""Functions that the whole-system tests run on the platform."""

import time

import fal


@fal.function(requirements=["six==1.17.0"], keep_alive=0)
def versions():
    import os
    import six
    import socket

    print("hello from the function")
    return {"six": six.__version__, "host": socket.gethostname(), "uid": os.getuid()}


@fal.function()
def fails():
    def deeper(x):
        raise ValueError(f"bad thing {x}")

    deeper(42)


@fal.function()
def prints_slowly():
    for i in range(3):
        print(f"tick {i}", flush=True)
        time.sleep(0.7)
    return "done"


@fal.function()
def big(data: bytes = b""):
    return data


@fal.function(secrets=["TEST_SECRET"])
def reads_secret():
    import os

    return os.environ.get("TEST_SECRET", "<unset>")


def _setup():
    return {"loaded": True}


@fal.function(setup_function=_setup)
def with_setup(state):
    return state


@fal.function()
def hard_exit():
    import os

    os._exit(7)


@fal.function()
def waits_forever():
    print("waiting forever", flush=True)
    while True:
        time.sleep(60)
