import os
import signal
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import driver
import launch_case
from modes import for_each_mode
from test_runner import sleepers


class LauncherCase(launch_case.LaunchCase):
    def test_exit_status_and_output_are_the_programs(self):
        self.assertEqual(self.run_it("/bin/sh", "-c", "echo out; echo err >&2; exit 7"), (7, "out\n", "err\n"))

    def test_a_signal_that_ends_the_program_is_128_plus_its_number(self):
        self.assertEqual(self.run_it("/bin/sh", "-c", "kill -9 $$")[0], 137)

    def test_the_environment_is_exactly_what_was_given(self):
        _, output, _ = self.run_it("/usr/bin/env", env={"ONLY": "this"})
        self.assertEqual(output, "ONLY=this\n")

    def test_standard_input_is_empty_and_nothing_else_is_open(self):
        _, output, _ = self.run_it("/bin/sh", "-c", "cat; ls /proc/self/fd")
        self.assertEqual(output.split(), ["0", "1", "2", "3"])  # 3 is the listing itself

    def test_a_program_that_is_not_there_is_122_with_its_name(self):
        status, _, errors = self.run_it("/no/such/program")
        self.assertEqual(status, 122)
        self.assertIn("lanner-launcher: cannot start /no/such/program", errors)

    def test_a_wrong_spec_is_120_with_the_field(self):
        status, _, errors = self.run_it("relative")
        self.assertEqual(status, 120)
        self.assertIn("argv[0] must be an absolute path", errors)

    def test_sigterm_is_passed_on(self):
        child = self.launch("/bin/sh", "-c", "trap 'echo got it; exit 3' TERM; echo up; while :; do sleep 0.05; done")
        self.assertEqual(child.stdout.readline(), b"up\n")
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.stdout.readline(), b"got it\n")
        self.assertEqual(child.wait(20), 3)

    def test_the_end_of_the_lifeline_ends_everything_inside(self):
        child = self.launch("/bin/sh", "-c", "trap '' TERM HUP; setsid sleep 954 & echo up; sleep 954")
        self.assertEqual(child.stdout.readline(), b"up\n")
        child.stdin.close()
        child.wait(20)
        self.assertEqual(child.stdout.read(), b"")  # nobody holds the pipe any more

    def test_a_killed_launcher_takes_everything_with_it(self):
        child = self.launch("/bin/sh", "-c", "trap '' TERM HUP; setsid sleep 955 & echo up; sleep 955")
        self.assertEqual(child.stdout.readline(), b"up\n")
        driver.wait_until(lambda: len(sleepers(child.pid, "955")) == 2, "both are there")
        child.kill()
        self.assertEqual(child.stdout.read(), b"")

    def test_what_the_program_leaves_behind_is_killed_unless_all_are_waited_for(self):
        leave = "sleep 956 > /dev/null & echo $!"
        self.assertEqual(self.run_it("/bin/sh", "-c", leave)[0], 0)
        child = self.launch("/bin/sh", "-c", "sleep 957 & exit 5", waitForAll=True)
        driver.wait_until(lambda: sleepers(child.pid, "957"), "the child is there")
        self.assertIsNone(child.poll())
        os.kill(sleepers(child.pid, "957")[0], signal.SIGKILL)
        self.assertEqual(child.wait(20), 5)

    def test_the_control_socket_is_descriptor_3(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            child = self.launch("/bin/sh", "-c", "echo hello >&3", control=theirs, passControl=True)
            self.assertEqual(ours.recv(100), b"hello\n")
            self.assertEqual(child.wait(20), 0)


class SandboxedProgram(launch_case.LaunchCase):
    """What namespaces add."""

    def test_a_closed_folder_can_be_opened_by_a_bind_and_only_its_inside_is_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            inner, other = os.path.join(folder, "inner"), os.path.join(folder, "other")
            for path in (inner, other):
                os.mkdir(path)
            os.chmod(folder, 0o700)
            owner = driver.ACCOUNT_UID if self.options.get("own_uid") else self.options.get("uid", os.getuid())
            if os.geteuid() == 0:
                os.chown(inner, owner, owner)
                if self.options.get("uid") is not None:
                    os.chown(folder, owner, owner)
            script = f"echo hi > {inner}/file; ls {folder}; touch {other}/x 2>/dev/null && echo escaped"
            _, output, errors = self.run_it("/bin/sh", "-c", script, binds=[{"source": inner, "readOnly": False}])
            self.assertEqual((output, errors), ("inner\n", ""))
            self.assertTrue(os.path.exists(os.path.join(inner, "file")))

    def test_a_missing_bind_is_121_unless_optional(self):
        status, _, errors = self.run_it("/bin/true", binds=[{"source": "/no/such/folder"}])
        self.assertEqual(status, 121)
        self.assertIn("/no/such/folder", errors)
        self.assertEqual(self.run_it("/bin/true", binds=[{"source": "/no/such/folder", "optional": True}])[0], 0)

    def test_a_link_in_place_of_a_folder_is_not_followed_where_others_could_have_put_it(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            hidden, tree = os.path.join(folder, "hidden"), os.path.join(folder, "tree")
            os.mkdir(hidden)
            os.mkdir(tree)
            bind = {"source": tree, "followLinks": False}
            self.assertEqual(self.run_it("/bin/ls", folder, binds=[bind])[1], "tree\n")
            os.rmdir(tree)
            os.symlink(hidden, tree)
            status, _, errors = self.run_it("/bin/ls", tree, binds=[bind])
            self.assertEqual(status, 121)
            self.assertIn(f"cannot show {tree}", errors)

    def test_the_link_of_an_environment_shows_nothing_but_its_interpreter(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            base, hidden, tree = (os.path.join(folder, name) for name in ("base-1.2", "hidden", "tree"))
            for path in (base, hidden, tree):
                os.makedirs(os.path.join(path, "bin"))
            with open(os.path.join(hidden, "secret"), "w", encoding="utf-8") as file:
                file.write("secret")
            python, link = os.path.join(base, "bin", "python"), os.path.join(tree, "bin", "python")
            os.symlink("/bin/ls", python)
            os.symlink(base, os.path.join(folder, "base"))
            fields = {"interpreters": [python], "interpreterLinks": [link], "binds": [{"source": tree, "followLinks": False}]}
            # By another name of the interpreter's folder, as uv's links have one.
            os.symlink(os.path.join(folder, "base", "bin", "python"), link)
            self.assertEqual(self.run_it(link, folder, **fields), (0, "base\nbase-1.2\ntree\n", ""))
            os.unlink(link)
            os.symlink(os.path.join(hidden, "bin", "python"), link)
            with open(os.path.join(tree, "pyvenv.cfg"), "w", encoding="utf-8") as file:
                file.write(f"home = {base}/bin\nhome = {hidden}/bin\n")
            self.assertEqual(self.run_it("/bin/ls", folder, **fields), (0, "base-1.2\ntree\n", ""))

    def test_a_build_has_no_capabilities_and_cannot_unmount(self):
        _, output, _ = self.run_it("/bin/sh", "-c", "grep -E '^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs)' /proc/self/status; umount /proc 2>/dev/null || echo held")
        values = [line.split()[-1] for line in output.splitlines()]
        self.assertEqual(values, ["0000000000000000"] * 4 + ["1", "held"])

    def test_hostname_and_processes_are_its_own(self):
        _, output, _ = self.run_it("/bin/sh", "-c", "cat /proc/sys/kernel/hostname /etc/hostname; ls -d /proc/[0-9]* | wc -l", hostname="builder-1")
        self.assertEqual(output.split()[:2], ["builder-1", "builder-1"])
        self.assertLess(int(output.split()[2]), 8)

    def test_without_a_network_there_is_only_a_dead_loopback(self):
        _, output, _ = self.run_it("/bin/sh", "-c", "cat /proc/net/dev | tail -n +3 | cut -d: -f1", network=False)
        self.assertEqual(output.split(), ["lo"])


for_each_mode(globals(), LauncherCase)
for_each_mode(globals(), SandboxedProgram, only_namespaces=True)

if __name__ == "__main__":
    unittest.main()
