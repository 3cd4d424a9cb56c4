"""What code in a runner cannot see, reach or undo. Namespaces only; the process group isolates nothing."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import driver
from driver import function
from modes import ModeCase, for_each_mode


class IsolationCase(ModeCase):
    def run_code(self, source, **fields):
        return self.start(source, **fields).value()

    def secret(self):
        """A file beside the folders of the account, as the database would be."""
        path = os.path.join(self.supervisor.folder, "secret")
        with open(path, "w") as file:
            file.write("the key of another account")
        os.chmod(path, 0o644)
        return path

    def test_the_root_shows_only_what_is_allowed(self):
        listing = self.run_code("import os\ndef main():\n    return os.listdir('/')")
        allowed = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "proc", "dev", "sys", "tmp", "run", "app", "data", "home", "nix"}
        prefixes = {path.split("/")[1] for path in (sys.prefix, sys.base_prefix)}
        self.assertEqual(set(listing) - allowed - prefixes, set())

    def test_the_data_folder_of_the_platform_is_not_there(self):
        found = self.run_code(
            f"""
            import os
            def main():
                return [os.path.exists(path) for path in ({self.secret()!r}, {self.supervisor.socket_dir!r}, {self.supervisor.data_dir!r}, "/old", "/new")]
            """
        )
        self.assertEqual(found, [False] * 5)

    def test_nested_user_namespaces_and_unmounting_reveal_nothing(self):
        secret, sockets = self.secret(), self.supervisor.socket_dir
        found = self.run_code(
            f"""
            import ctypes, os, re
            libc = ctypes.CDLL(None, use_errno=True)
            def main():
                uid, gid = os.getuid(), os.getgid()
                outside = [libc.umount2(path, 2) for path in (b"/proc", b"/etc", b"/dev", b"/data", b"/")]
                entered = libc.unshare(0x10000000 | 0x00020000)
                if entered == 0:
                    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {{uid}} 1"), ("gid_map", f"0 {{gid}} 1")):
                        try:
                            with open(f"/proc/self/{{name}}", "w") as file:
                                file.write(text)
                        except OSError:
                            pass  # a supervisor that is uid 0 itself: 0 must not be mapped again
                points = [line.split()[4] for line in open("/proc/self/mountinfo")]
                inside = [libc.umount2(path.encode(), 2) for path in reversed(points)]
                writable = libc.mount(None, b"/usr", None, 0x20 | 0x1000, None)
                seen = [os.path.exists(path) for path in ({secret!r}, {sockets!r}, "/old")]
                return outside, entered, [result for result in inside if result == 0], writable, seen
            """
        )
        outside, entered, unmounted, writable, seen = found
        self.assertEqual(set(outside), {-1})
        self.assertEqual((unmounted, writable, seen), ([], -1, [False] * 3))

    def test_no_capability_is_left_and_none_can_be_gained(self):
        status = self.run_code(
            "def main():\n    return {line.split()[0][:-1]: line.split()[-1] for line in open('/proc/self/status')}"
        )
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")

    def test_only_the_runners_own_processes_are_visible(self):
        pids, init = self.run_code(
            """
            import os
            def main():
                try:
                    open("/proc/1/mem", "rb").close()
                    init = "open"
                except OSError:
                    init = "closed"
                return sorted(int(name) for name in os.listdir("/proc") if name.isdigit()), init
            """
        )
        self.assertEqual(pids, [1, 2])
        self.assertEqual(init, "closed")

    def test_the_init_cannot_be_killed_from_inside(self):
        runner = self.supervisor.start(
            function(
                """
                import os, signal
                def main():
                    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP, signal.SIGUSR1):
                        os.kill(1, number)
                    return "alive"
                """
            )
        )
        self.addCleanup(runner.close)
        self.assertEqual(runner.value(), "alive")
        self.assertEqual(runner.exit()["code"], 0)

    def test_system_and_environment_are_read_only(self):
        results = self.run_code(
            """
            import os, sys
            def main():
                return [os.access(path, os.W_OK) for path in ("/usr", "/usr/bin", "/etc", sys.prefix, sys.base_prefix)]
            """
        )
        self.assertEqual(results, [False] * 5)

    def test_the_host_name_and_address_are_the_runners_own(self):
        name, address, localhost = self.run_code(
            """
            import socket
            def main():
                return socket.gethostname(), socket.gethostbyname(socket.gethostname()), socket.gethostbyname("localhost")
            """,
            runner_id="seven",
            address="127.9.8.7",
        )
        self.assertEqual((name, address, localhost), ("host-seven", "127.9.8.7", "127.0.0.1"))

    def test_app_tmp_home_and_data_are_writable_and_data_stays(self):
        self.run_code(
            """
            import os
            def main():
                for folder in ("/app", "/tmp", os.path.expanduser("~"), "/data", "/dev/shm"):
                    with open(folder + "/written", "w") as file:
                        file.write("x")
            """
        )
        self.assertTrue(os.path.exists(os.path.join(self.supervisor.data_dir, "written")))
        self.assertEqual(self.run_code("import os\ndef main():\n    return os.path.exists('/tmp/written')"), False)

    def test_without_a_scratch_folder_they_live_in_memory(self):
        self.assertEqual(self.run_code("def main():\n    return open('/app/x', 'w').write('x')", scratch=False), 1)

    def test_data_can_be_narrowed_to_some_folders(self):
        os.makedirs(os.path.join(self.supervisor.data_dir, "hidden"), exist_ok=True)
        listing = self.run_code(
            """
            import os
            def main():
                open("/data/.cache/models/new", "w").close()
                return os.listdir("/data"), os.listdir("/data/.cache")
            """,
            dataMounts=["/data/.cache/models"],
        )
        self.assertEqual(listing, ([".cache"], ["models"]))
        self.assertTrue(os.path.exists(os.path.join(self.supervisor.data_dir, ".cache/models/new")))

    def test_a_link_cannot_lead_a_data_mount_elsewhere(self):
        link = os.path.join(self.supervisor.data_dir, "link")
        if not os.path.islink(link):
            os.symlink(self.supervisor.socket_dir, link)
        runner = self.supervisor.start(function("def main():\n    pass"), dataMounts=["/data/link"])
        self.addCleanup(runner.close)
        self.assertEqual(runner.exit()["code"], 125)
        self.assertIn("not a folder", runner.lines[-1])

    def test_the_ca_bundle_lies_where_clients_are_told(self):
        bundle = os.path.join(self.supervisor.socket_dir, "ca.pem")
        with open(bundle, "w") as file:
            file.write("certificates")
        os.chmod(bundle, 0o644)
        text = self.run_code("def main():\n    return open('/etc/lanner/ca-bundle.pem').read()", caBundle=bundle)
        self.assertEqual(text, "certificates")

    def test_a_fork_bomb_meets_a_limit(self):
        limit = self.run_code("import resource\ndef main():\n    return resource.getrlimit(resource.RLIMIT_NPROC)")
        self.assertLessEqual(limit[1], 8192)

    def test_the_account_is_no_real_user_of_the_machine_when_root_runs_it(self):
        uid = self.run_code("import os\ndef main():\n    return os.getuid()")
        expected = driver.ACCOUNT_UID if self.options.get("own_uid") else self.options.get("uid", os.getuid())
        self.assertEqual(uid, expected)


for_each_mode(globals(), IsolationCase, only_namespaces=True)

if __name__ == "__main__":
    unittest.main()
