import os
import select
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lanner_bridge.socket_broker import SocketBroker


class Calls:
    """A listener at which calls wait, each named by who makes it; holders are told by that name."""

    def __init__(self, names):
        self.waiting = [Call(name) for name in names]
        self.read_end, self.write_end = os.pipe()
        os.write(self.write_end, b"x")

    def fileno(self):
        return self.read_end

    def receive(self):
        call = self.waiting.pop(0)
        if not self.waiting:
            os.read(self.read_end, 1)
        return call

    def of(self, thread):
        return thread

    def close(self):
        os.close(self.read_end)
        os.close(self.write_end)


class Call:
    def __init__(self, thread):
        self.thread = thread


class Recorder(SocketBroker):
    def __init__(self, calls):
        super().__init__(calls.fileno(), calls)
        self._listener = calls
        self.made = []

    def _handle(self, notification, holder):
        self.made.append(holder)


class Lines(unittest.TestCase):
    def test_one_call_of_each_holder_is_made_at_a_turn_however_many_another_one_makes(self):
        calls = Calls(["loud"] * 50 + ["quiet"] + ["loud"] * 9)
        self.addCleanup(calls.close)
        broker = Recorder(calls)
        broker.serve({calls.fileno(): select.POLLIN})
        self.assertEqual(broker.made, ["loud", "quiet"])
        self.assertEqual(broker.longest_wait_ms(), 0)
        while broker.longest_wait_ms() == 0:
            broker.serve({})
        self.assertEqual(broker.made.count("loud"), 59)


if __name__ == "__main__":
    unittest.main()
