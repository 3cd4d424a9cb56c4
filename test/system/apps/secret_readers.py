"""Functions that tell which of the test's secrets they see."""

import fal


def _tell():
    import json
    import os

    names = ("EXPOSED", "HIDDEN", "BOTH", "LATER")
    assert os.environ["FAL_KEY"].count(":") == 1
    print("SEEN", json.dumps({name: os.environ[name] for name in names if name in os.environ}))


@fal.function()
def names_nothing():
    _tell()


@fal.function(secrets=[])
def names_none():
    _tell()


@fal.function(secrets=["HIDDEN", "FAL_KEY"])
def names_hidden():
    _tell()
