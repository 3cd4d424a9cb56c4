"""The ways in which a runner can be started on this machine; every test class of runners exists once per mode."""

import functools
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import driver

ORDINARY_UID = 2_000_321


@functools.cache
def modes():
    """{name: options of FakeSupervisor}."""
    is_root = os.geteuid() == 0
    from lanner_bridge.probe import probe

    found = {"process-group": {"sandbox": "process-group"}}
    if probe()["level"] == "namespaces":
        found["namespaces-same-user"] = {}
    if is_root:
        found["namespaces-root-with-own-uid"] = {"own_uid": True}
        python = driver.python_for(ORDINARY_UID)
        if python:
            found["namespaces-ordinary-user"] = {"uid": ORDINARY_UID, "python": python}
    return found


class ModeCase(unittest.TestCase):
    """One supervisor per class; `options` come from `for_each_mode`."""

    @classmethod
    def setUpClass(cls):
        cls.supervisor = driver.FakeSupervisor(**cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.supervisor.close()

    def start(self, source, **fields):
        runner = self.supervisor.start(driver.function(source), **fields)
        self.addCleanup(runner.close)
        return runner


def for_each_mode(names, base, only_namespaces=False, more_modes=()):
    """Add one subclass of `base` per mode to a module's names; unittest then finds them instead of the base."""
    for mode, options in {**modes(), **dict(more_modes)}.items():
        if only_namespaces and not mode.startswith("namespaces"):
            continue
        title = base.__name__ + "".join(word.capitalize() for word in mode.split("-"))
        names[title] = type(title, (base,), {"mode": mode, "options": options, "__module__": base.__module__})
    del names[base.__name__]
