"""What tests of the launcher share: one launch in the mode of the class, ended with the test."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import driver
from driver import launch


class LaunchCase(unittest.TestCase):
    def spec(self, *argv, **fields):
        spec = {"argv": list(argv), "env": {"PATH": "/usr/bin:/bin"}, "sandbox": self.options.get("sandbox", "namespaces"), **fields}
        if self.options.get("own_uid"):
            spec["uid"] = driver.ACCOUNT_UID
        return spec

    def launch(self, *argv, control=None, **fields):
        child = launch(self.spec(*argv, **fields), control, self.options.get("uid"))
        self.addCleanup(self.end, child)
        return child

    def end(self, child):
        child.stdin.close()
        child.wait(20)
        child.stdout.close()
        child.stderr.close()

    def run_it(self, *argv, **fields):
        child = self.launch(*argv, **fields)
        output, errors = child.stdout.read().decode(), child.stderr.read().decode()
        return child.wait(20), output, errors
