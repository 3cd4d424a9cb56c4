import functools
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import driver
from driver import function
from modes import ModeCase, for_each_mode


class RunnerCase(ModeCase):
    # -- results ------------------------------------------------------------------------------------------------

    def test_the_frames_of_a_simple_call_come_in_order(self):
        runner = self.start("def main():\n    print('hello')\n    return 42")
        self.assertEqual(runner.value(), 42)
        self.assertEqual(runner.exit(), {"type": "exit", "code": 0, "signal": None})
        self.assertEqual([frame["type"] for frame in runner.frames], ["sandboxed", "setup", "log", "result", "exit"])
        self.assertEqual(runner.lines, ["hello"])

    def test_a_setup_functions_result_is_the_first_argument(self):
        runner = self.start("def main(value):\n    return value * 2", setup=function("def main():\n    return [1]"))
        self.assertEqual(runner.value(), [1, 1])

    def test_coroutines_are_run_to_their_end(self):
        self.assertEqual(self.start("async def main():\n    return 'async'").value(), "async")

    def test_the_callable_runs_on_the_main_thread_without_a_running_loop(self):
        runner = self.start(
            """
            import asyncio, threading
            def main():
                return threading.current_thread() is threading.main_thread(), asyncio._get_running_loop()
            """
        )
        self.assertEqual(runner.value(), (True, None))

    def test_an_exception_is_a_raised_result_with_its_traceback_and_without_our_frames(self):
        runner = self.start("def main():\n    raise KeyError('gone')")
        header, payload = runner.until("result")
        self.assertTrue(header["wasRaised"])
        self.assertEqual(header["exceptionTypeName"], "KeyError")
        self.assertEqual(header["exceptionMessage"], "'gone'")
        self.assertTrue(header["stringizedTraceback"].startswith("Traceback (most recent call last):\n"))
        self.assertTrue(header["stringizedTraceback"].endswith("KeyError: 'gone'\n"))
        self.assertNotIn("lanner_bridge", header["stringizedTraceback"])
        self.assertIsInstance(driver.pickle.loads(payload), KeyError)
        self.assertEqual(runner.exit()["code"], 1)

    def test_a_setup_function_that_raises_is_the_result(self):
        runner = self.start("def main(value):\n    return value", setup=function("def main():\n    raise ValueError('no')"))
        self.assertEqual(runner.until("result")[0]["exceptionTypeName"], "ValueError")

    def test_a_result_that_cannot_be_pickled_is_a_failure_that_names_its_type(self):
        runner = self.start("import threading\ndef main():\n    return threading.Lock()")
        header, payload = runner.until("result")
        self.assertEqual(header["failure"]["code"], "result_not_serializable")
        self.assertEqual(
            header["failure"]["message"],
            "Error while serializing the execution result (object of type <class '_thread.lock'>).",
        )
        self.assertEqual(payload, b"")

    def test_a_callable_that_cannot_be_loaded_is_a_raised_serialization_error(self):
        definition = b"cno_such_module_here\nf\n."
        runner = self.supervisor.start(definition)
        self.addCleanup(runner.close)
        header, payload = runner.until("result")
        self.assertTrue(header["wasRaised"])
        self.assertIn(b"isolate.connections.common", payload)
        self.assertEqual(header["exceptionTypeName"], "SerializationError")
        self.assertIn("No module named 'no_such_module_here'", header["stringizedTraceback"])

    def test_what_is_not_callable_is_refused_by_name(self):
        runner = self.supervisor.start(driver.pickle.dumps([1]))
        self.addCleanup(runner.close)
        header, _ = runner.until("result")
        self.assertEqual(header["exceptionMessage"], "The function function must be callable, not list.")

    def test_64_mib_travel_both_ways(self):
        blob = os.urandom(1 << 20) * 64
        runner = self.supervisor.start(driver.pickle.dumps(functools.partial(bytes, blob)))
        self.addCleanup(runner.close)
        self.assertEqual(runner.value(), blob)

    def test_an_entrypoint_is_imported_and_its_attributes_walked(self):
        runner = self.supervisor.start(entrypoint="os.path:sep.upper")
        self.addCleanup(runner.close)
        self.assertEqual(runner.value(), "/")

    def test_a_malformed_entrypoint_and_a_missing_module_are_raised_results(self):
        for entrypoint, error in (("nonsense", "ValueError"), ("no_such_mod:x", "ModuleNotFoundError"), ("os:nope", "AttributeError")):
            runner = self.supervisor.start(entrypoint=entrypoint)
            self.addCleanup(runner.close)
            self.assertEqual(runner.until("result")[0]["exceptionTypeName"], error)

    def test_ports_go_only_to_callables_that_take_them(self):
        served = self.start(
            """
            def main(**ports):
                return ports
            main._fal_local_app = True
            """,
            exposedPort=8080,
            metricsPort=9090,
        )
        self.assertEqual(served.value(), {"exposed_port": 8080, "exposed_metrics_port": 9090})
        self.assertEqual(self.start("def main(**ports):\n    return ports", exposedPort=8080).value(), {})

    def test_output_of_threads_and_a_large_result_do_not_mix(self):
        runner = self.start(
            """
            import threading
            def main():
                def chatter():
                    while True:
                        print("chatter")
                threading.Thread(target=chatter, daemon=True).start()
                return bytes(16 << 20)
            """
        )
        self.assertEqual(runner.value(), bytes(16 << 20))
        runner.exit()
        self.assertEqual(set(runner.lines) - {"chatter"}, set())

    # -- environment --------------------------------------------------------------------------------------------

    def test_the_environment_is_what_was_sent_and_little_more(self):
        runner = self.start("import os\ndef main():\n    return dict(os.environ)", env={"FAL_KEY": "k", "LANG": "en"})
        variables = runner.value()
        self.assertEqual((variables["FAL_KEY"], variables["LANG"]), ("k", "en"))
        self.assertEqual((variables["IS_ISOLATE_AGENT"], variables["PYTHONUNBUFFERED"]), ("1", "1"))
        self.assertFalse([name for name in variables if name.startswith("LANNER")])

    def test_a_path_of_the_user_comes_after_the_environments_programs(self):
        runner = self.start(
            """
            import os, shutil, sys
            def main():
                return os.environ["PATH"].split(":"), shutil.which("sh"), os.environ["LD_LIBRARY_PATH"], os.environ["PYTHONUNBUFFERED"]
            """,
            env={"PATH": "/data/bin:/home/me/bin:", "LD_LIBRARY_PATH": "/data/lib", "PYTHONUNBUFFERED": ""},
        )
        path, shell, libraries, unbuffered = runner.value()
        self.assertEqual(path[1:3], ["/data/bin", "/home/me/bin"])
        self.assertEqual(path[0], os.path.dirname(self.supervisor.python))
        self.assertEqual(path[-1], "/bin")
        self.assertTrue(shell)
        self.assertEqual((libraries, unbuffered), ("/data/lib", "1"))

    def test_app_files_lie_in_the_working_directory_with_their_mode(self):
        source = os.path.join(self.supervisor.data_dir, "staged")
        with open(source, "w") as file:
            file.write("VALUE = 7\n")
        os.chmod(source, 0o644)
        runner = self.start(
            """
            import os, sys
            def main():
                sys.path.append(os.getcwd())
                import sub.helper
                open("new-file", "w").close()
                return sub.helper.VALUE, oct(os.stat("sub/helper.py").st_mode)
            """,
            files=[{"source": source, "relativePath": "sub/helper.py", "mode": 0o100750}],
        )
        self.assertEqual(runner.value(), (7, "0o100750"))

    def test_random_numbers_differ_between_runners(self):
        source = "import random, uuid, tempfile\ndef main():\n    return random.random(), tempfile.gettempdir()"
        (first, folder), (second, _) = self.start(source).value(), self.start(source).value()
        self.assertNotEqual(first, second)
        self.assertTrue(folder.endswith("tmp"))

    def test_nothing_of_the_zygote_is_inherited(self):
        runner = self.start(
            """
            import os
            def main():
                links = []
                for name in os.listdir("/proc/self/fd"):
                    try:
                        links.append(os.readlink(f"/proc/self/fd/{name}"))
                    except OSError:
                        pass
                return links
            """
        )
        links = runner.value()
        # stdin, two pipes, the control socket to the init, the shared maps have no descriptor; the listing itself
        self.assertEqual(sorted(link.split(":")[0] for link in links if not link.startswith("/proc")), ["/dev/null", "pipe", "pipe", "socket"])

    # -- output -------------------------------------------------------------------------------------------------

    def test_output_is_streamed_while_the_app_runs(self):
        runner = self.start(
            """
            import sys, time
            def main():
                print("out"); print("err", file=sys.stderr)
                time.sleep(60)
            """
        )
        runner.until_line("out")
        runner.until_line("err")
        self.assertEqual({frame["line"]: frame["level"] for frame in runner.frames if frame["type"] == "log"}, {"out": "stdout", "err": "stderr"})
        runner.send(type="kill")
        self.assertEqual(runner.exit()["signal"], "SIGKILL")

    def test_output_comes_before_the_result_and_a_last_line_needs_no_end(self):
        runner = self.start("import sys\ndef main():\n    sys.stdout.write('a\\n' * 1000 + 'end')\n    return 1")
        runner.until("result")
        runner.exit()
        self.assertEqual(runner.lines, ["a"] * 1000 + ["end"])

    def test_a_printing_app_waits_for_a_slow_reader(self):
        runner = self.start(
            """
            import os
            def main():
                block = b"x" * 1023 + b"\\n"
                for index in range(64):
                    for _ in range(1024):
                        os.write(1, block)
                return "done"
            """
        )
        runner.until("setup")
        time.sleep(1)  # nothing is read: a runner that buffers has buffered it all by now
        self.assertLess(self.memory_of_init(runner), 60 << 20)
        self.assertEqual(runner.value(), "done")
        self.assertEqual(len(runner.lines), 64 * 1024)
        self.assertEqual(set(map(len, runner.lines)), {1023})

    def memory_of_init(self, runner):
        """Private memory of the runner's init, found by its number in the zygote's namespace."""
        return sum(private_bytes(pid) for pid in host_pids(self.supervisor.launcher.pid) if namespace_pid(pid, runner.hello["pid"]))

    # -- ends ---------------------------------------------------------------------------------------------------

    def test_sigterm_ends_an_app_that_does_not_handle_it(self):
        runner = self.start("import time\ndef main():\n    print('up')\n    time.sleep(60)")
        runner.until_line("up")
        runner.send(type="stop", signal="SIGTERM")
        self.assertEqual(runner.exit(), {"type": "exit", "code": None, "signal": "SIGTERM"})

    def test_sigterm_can_be_handled_and_ignored_and_kill_ends_it_anyway(self):
        runner = self.start(
            """
            import signal, time
            def main():
                signal.signal(signal.SIGTERM, lambda *_: print("ignored"))
                print("up")
                while True:
                    time.sleep(60)
            """
        )
        runner.until_line("up")
        runner.send(type="stop", signal="SIGTERM")
        runner.until_line("ignored")
        runner.send(type="kill")
        self.assertEqual(runner.exit(), {"type": "exit", "code": None, "signal": "SIGKILL"})

    def test_hard_exits_and_crashes_are_reported_with_what_was_printed(self):
        runner = self.start("import os\ndef main():\n    print('last words')\n    os._exit(7)")
        self.assertEqual(runner.exit(), {"type": "exit", "code": 7, "signal": None})
        self.assertEqual(runner.lines, ["last words"])
        runner = self.start("import os, signal\ndef main():\n    os.kill(os.getpid(), signal.SIGSEGV)")
        self.assertEqual(runner.exit(), {"type": "exit", "code": None, "signal": "SIGSEGV"})

    def test_system_exit_gives_the_exit_status(self):
        runner = self.start("def main():\n    raise SystemExit(3)")
        self.assertEqual(runner.until("result")[0]["exceptionTypeName"], "SystemExit")
        self.assertEqual(runner.exit()["code"], 3)

    def test_children_of_the_app_end_with_it(self):
        runner = self.start(
            """
            import os, subprocess, sys
            def main():
                child = subprocess.Popen(["sleep", "987"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                print("started")
                return child.pid
            """
        )
        runner.value()
        runner.exit()
        driver.wait_until(lambda: not sleepers(self.supervisor.launcher.pid, "987"), "the orphan is gone")

    def test_the_end_of_the_connection_ends_the_runner_and_its_children(self):
        runner = self.start(
            """
            import signal, subprocess, time
            def main():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                subprocess.Popen(["sleep", "986"], start_new_session=True)
                print("up")
                time.sleep(600)
            """
        )
        runner.until_line("up")
        driver.wait_until(lambda: sleepers(self.supervisor.launcher.pid, "986"), "the runner's child is there")
        runner.connection.close()
        driver.wait_until(lambda: not sleepers(self.supervisor.launcher.pid, "986"), "the runner's child is gone")

    def test_a_child_that_never_connected_is_reported(self):
        self.supervisor._waiting["t"] = driver.queue.Queue()
        driver.send_frame(self.supervisor.control, {"type": "fork", "runnerId": "lost", "socket": "/nowhere.sock", "token": "t"})
        while True:
            header, _ = driver.receive_frame(self.supervisor.control)
            if header["type"] == "child-ended":
                break
        self.assertEqual(header["runnerId"], "lost")
        self.assertNotEqual(header["status"], 0)

    def test_a_start_that_cannot_be_followed_says_why(self):
        runner = self.start("def main():\n    pass", files=[{"source": "/etc/hosts", "relativePath": "../x", "mode": 0o644}])
        self.assertEqual(runner.exit()["code"], 125)
        self.assertIn("clean relative path", runner.lines[-1])


def host_pids(launcher):
    """Every process below the launcher."""
    found, todo = [], [launcher]
    while todo:
        pid = todo.pop()
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                children = [int(child) for child in file.read().split()]
        except OSError:
            continue
        found += children
        todo += children
    return found


def namespace_pid(pid, wanted):
    try:
        with open(f"/proc/{pid}/status") as file:
            numbers = next(line for line in file if line.startswith("NSpid")).split()[1:]
    except (OSError, StopIteration):
        return False
    return numbers[-1] == str(wanted) or (len(numbers) > 1 and numbers[-2] == str(wanted) and numbers[-1] == "1")


def private_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) << 10 for line in file if line.startswith("Private"))


def sleepers(launcher, seconds):
    """Processes `sleep SECONDS` anywhere below the launcher."""
    found = []
    for pid in host_pids(launcher):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read().split(b"\0")[:2] == [b"sleep", seconds.encode()]:
                    found.append(pid)
        except OSError:
            pass
    return found


for_each_mode(globals(), RunnerCase)

if __name__ == "__main__":
    unittest.main()
