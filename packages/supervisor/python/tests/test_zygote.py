import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import driver
from driver import FakeSupervisor, function
from modes import for_each_mode
from test_runner import host_pids, namespace_pid


class ZygoteCase(unittest.TestCase):
    def supervisor(self, **options):
        supervisor = FakeSupervisor(**{**self.options, **options})
        self.addCleanup(supervisor.close)
        return supervisor

    def wait_for_spare(self, supervisor):
        """Until the zygote has a child, the init of a spare, that has one, its app process."""
        driver.wait_until(lambda: spares(supervisor), "there is a spare")

    def test_a_retired_zygote_ends_with_its_spare(self):
        supervisor = self.supervisor()
        self.wait_for_spare(supervisor)
        supervisor.control.close()
        self.assertEqual(supervisor.launcher.wait(20), 0)

    def test_runners_of_a_retired_zygote_live_on(self):
        supervisor = self.supervisor()
        runner = supervisor.start(function("import time\ndef main():\n    print('up')\n    time.sleep(600)"))
        self.addCleanup(runner.close)
        runner.until_line("up")
        supervisor.control.close()
        self.assertIsNone(supervisor.launcher.poll())
        runner.send(type="stop", signal="SIGTERM")
        self.assertEqual(runner.exit()["signal"], "SIGTERM")
        self.assertEqual(supervisor.launcher.wait(20), 0)

    def test_a_spare_becomes_the_next_runner_and_another_one_follows(self):
        supervisor = self.supervisor()
        used = []
        for number in range(3):
            self.wait_for_spare(supervisor)
            (spare,) = spares(supervisor)
            driver.wait_until(lambda: is_waiting(spare), "the spare waits for its order")
            runner = supervisor.start(function("def main(): return 7"), runner_id=f"r{number}")
            self.assertTrue(namespace_pid(spare, runner.hello["pid"]))
            self.assertEqual(runner.value(), 7)
            runner.exit()
            driver.wait_until(lambda: spare not in host_pids(supervisor.launcher.pid), "the runner is gone")
            used.append(spare)
        self.assertEqual(len(set(used)), 3)

    def test_many_runners_asked_for_at_once_all_come(self):
        supervisor = self.supervisor()
        self.wait_for_spare(supervisor)
        tokens = [supervisor.fork(f"many-{number}") for number in range(8)]
        hellos = [supervisor.connect(token) for token in tokens]
        self.assertEqual({hello["runnerId"] for _, hello in hellos}, {f"many-{number}" for number in range(8)})
        self.assertEqual(len({hello["pid"] for _, hello in hellos}), 8)
        for connection, _ in hellos:
            connection.close()

    def test_the_event_loop_of_a_runner_is_as_in_a_fresh_process(self):
        supervisor = self.supervisor()
        runner = supervisor.start(
            function("import asyncio, warnings\ndef main():\n    warnings.simplefilter('ignore')\n    return asyncio.get_event_loop().is_closed()")
        )
        self.addCleanup(runner.close)
        if sys.version_info < (3, 14):
            self.assertFalse(runner.value())

    def test_the_end_of_the_launchers_lifeline_ends_zygote_and_runners(self):
        supervisor = self.supervisor()
        runner = supervisor.start(function("import time\ndef main():\n    print('up')\n    time.sleep(600)"))
        self.addCleanup(runner.close)
        runner.until_line("up")
        pids = host_pids(supervisor.launcher.pid)
        supervisor.launcher.stdin.close()
        supervisor.launcher.wait(20)
        driver.wait_until(lambda: not [pid for pid in pids if os.path.exists(f"/proc/{pid}")], "all processes are gone")


def spares(supervisor):
    """Host pids of the inits of runners that have an app process: grandchildren of the zygote's parent with a child."""
    pids = host_pids(supervisor.launcher.pid)
    zygotes = [pid for pid in pids if b"zygote.py" in command_line(pid)]
    if not zygotes:
        return []
    zygote = min(zygotes)
    return [pid for pid in children_of(zygote) if children_of(pid)]


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def is_waiting(pid):
    """The process blocks in a read of its channel, after it has said that it is ready."""
    try:
        with open(f"/proc/{pid}/syscall") as file:
            call = file.read().split()
        with open(f"/proc/{children_of(pid)[0]}/syscall") as file:
            app = file.read().split()
    except (OSError, IndexError):
        return False
    return call[0] not in ("running", "61") and app[0] == call[0]


for_each_mode(globals(), ZygoteCase)

if __name__ == "__main__":
    unittest.main()
