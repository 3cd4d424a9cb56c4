"""What a build, and the imports of a zygote, can do with sockets: the code of packages, which nobody has checked."""

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import driver
import launch_case
from address_case import NATIVE, is_open, machine_address
from driver import FakeSupervisor, any_address, function, problem_with_kernel_addresses
from modes import for_each_mode

# Every way to `host`: by family, kind, past Python, and from a program started anew.
ATTEMPTS = (
    NATIVE
    + """
import subprocess, sys
def attempts(host, port):
    found = []
    for family, text in ((socket.AF_INET, host), (socket.AF_INET6, "::ffff:" + host)):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            found.append(socket.socket(family, kind).connect_ex((text, port)))
    try:
        native("connect", socket.socket().detach(), host, port)
        found.append(0)
    except OSError as error:
        found.append(error.errno)
    try:
        socket.socket().sendto(b"GET / HTTP/1.0\\r\\n\\r\\n", socket.MSG_FASTOPEN, (host, port))
        found.append(0)
    except OSError as error:
        found.append(error.errno)
    anew = "import socket, sys; sys.exit(socket.socket().connect_ex((sys.argv[1], int(sys.argv[2]))))"
    found.append(subprocess.run([sys.executable, "-I", "-S", "-c", anew, host, str(port)]).returncode)
    return found
"""
)
REFUSED = [111, 111, 111, 111, 111, 95, 111]


class Case(launch_case.LaunchCase):
    def serve(self, host):
        """A server of this process, which is outside."""
        server = socket.create_server((host, 0), backlog=100)
        self.addCleanup(server.close)
        return server.getsockname()[1]

    def python(self):
        return self.options.get("python", sys.executable)


@unittest.skipIf(problem_with_kernel_addresses(), problem_with_kernel_addresses())
class BuildCase(Case):
    def setUp(self):
        self.own = any_address()

    def run_python(self, source, *arguments):
        status, output, errors = self.run_it(*self.command(source, *arguments), **self.fields())
        self.assertEqual((status, errors), (0, ""))
        return json.loads(output)

    def command(self, source, *arguments):
        return [self.python(), "-I", "-S", "-B", "-c", f"import json\n{source}", *map(str, arguments)]

    def fields(self):
        return {"interpreters": [self.python()], "address": self.own}

    def test_a_runner_is_out_of_reach(self):
        runner = any_address()
        port = self.serve(runner)
        self.assertTrue(is_open(runner, port))
        self.assertEqual(self.run_python(f"{ATTEMPTS}\nprint(json.dumps(attempts({runner!r}, {port})))"), REFUSED)

    def test_the_address_of_a_runner_cannot_be_taken(self):
        found = self.run_python(f"{NATIVE}\nprint(json.dumps(serve({any_address()!r}, 8080).getsockname()))")
        self.assertEqual(found, [self.own, 8080])

    def test_an_index_on_this_machine_is_reached(self):
        port = self.serve("127.0.0.1")
        found = self.run_python(f"{ATTEMPTS}\nprint(json.dumps(attempts('127.0.0.1', {port})))")
        self.assertEqual(found, [0, 0, 0, 0, 0, 95, 0])

    def test_what_it_listens_on_is_at_its_own_address_alone_and_found_by_itself(self):
        source = f"""{NATIVE}
servers = [serve("0.0.0.0", 0), serve({machine_address()!r} or "0.0.0.0", 0), socket.create_server(("::", 0), family=socket.AF_INET6)]
for server in servers:
    socket.create_connection(("127.0.0.1", server.getsockname()[1]), 10).close()
print(json.dumps([server.getsockname()[1] for server in servers]), flush=True)
import time
time.sleep(600)
"""
        child = self.launch(*self.command(source), **self.fields())
        ports = json.loads(child.stdout.readline())
        self.assertEqual(len(ports), 3)
        for port in ports:
            self.assertTrue(is_open(self.own, port))
            for elsewhere in filter(None, ("127.0.0.1", machine_address())):
                self.assertFalse(is_open(elsewhere, port), (elsewhere, port))
        child.send_signal(signal.SIGTERM)

    def test_its_init_cannot_be_taken_over(self):
        source = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
init, found = os.getppid(), []
for request in (16, 0x4206):  # ATTACH, SEIZE
    found.append(libc.ptrace(request, init, None, None))
for name in ("mem", "maps", "fd/0"):
    try:
        found.append(os.open(f"/proc/{init}/{name}", os.O_RDONLY))
    except OSError:
        found.append(-1)
print(json.dumps(found))
"""
        if os.geteuid() == 0 and self.mode == "process-group":
            self.skipTest("plain processes of root")
        self.assertEqual(self.run_python(source), [-1] * 5)
        # A zygote has powers over the namespaces that it shares with its init.
        status, output, _ = self.run_it(*self.command(source), **self.fields(), keepCapabilities=True)
        self.assertEqual((status, json.loads(output)), (0, [-1] * 5))

    def test_a_key_without_an_address_is_a_wrong_spec(self):
        status, _, errors = self.run_it("/bin/true", addressKey="k")
        self.assertEqual(status, 120)
        self.assertIn("addressKey", errors)


# Python imports this by itself when it starts, as it does what a package names in a .pth file.
SITE = """
import os
if b"zygote.py" in open("/proc/self/cmdline", "rb").read():
    import json, package
    with open(os.environ["REPORT"] + "/found", "w") as file:
        json.dump(package.found, file)
"""


@unittest.skipIf(problem_with_kernel_addresses(), problem_with_kernel_addresses())
class ImportCase(Case):
    """A package of the environment that is imported by the zygote."""

    def start_zygote(self, source):
        """A zygote that has run this source, which sets `found`; (supervisor, found)."""
        self.folder = tempfile.mkdtemp(prefix="lanner-package-")
        self.addCleanup(shutil.rmtree, self.folder)
        with open(os.path.join(self.folder, "package.py"), "w") as file:
            file.write(source)
        with open(os.path.join(self.folder, "sitecustomize.py"), "w") as file:
            file.write(SITE)
        report = os.path.join(self.folder, "report")
        os.mkdir(report)
        for path in (self.folder, report):
            os.chmod(path, 0o777)
        supervisor = FakeSupervisor(
            **self.options,
            env={"PYTHONPATH": self.folder, "REPORT": report},
            extra_binds=[{"source": self.folder}, {"source": report, "readOnly": False}],
        )
        self.addCleanup(supervisor.close)
        with open(os.path.join(report, "found")) as file:
            return supervisor, json.load(file)

    def test_a_runner_is_out_of_reach_and_services_of_the_machine_are_not(self):
        runner = any_address()
        port, index = self.serve(runner), self.serve("127.0.0.1")
        source = f"{ATTEMPTS}\nfound = attempts({runner!r}, {port}), attempts('127.0.0.1', {index})"
        supervisor, found = self.start_zygote(source)
        self.assertEqual(found, [REFUSED, [0, 0, 0, 0, 0, 95, 0]])
        self.assertEqual(supervisor.start(function("def main(): return 7")).value(), 7)

    def test_what_an_import_listens_on_is_at_the_zygotes_address_alone_and_runners_cannot_reach_it(self):
        source = f"{NATIVE}\nserver = serve('0.0.0.0', 0)\nfound = server.getsockname()"
        supervisor, (address, port) = self.start_zygote(source)
        self.assertEqual(address, supervisor.address)
        self.assertTrue(is_open(address, port))
        for elsewhere in filter(None, ("127.0.0.1", machine_address())):
            self.assertFalse(is_open(elsewhere, port))
        runner = supervisor.start(
            function(f"import socket\ndef main(): return socket.socket().connect_ex(({address!r}, {port}))"), address=any_address()
        )
        self.assertEqual(runner.value(), 111)

    def test_an_address_is_given_to_nobody_without_its_proof(self):
        source = f"""
import socket
def claim(address, proof):
    ours, theirs = socket.socketpair()
    socket.send_fds(socket.socket(fileno=socket.dup(4)), [f"{{address}} {{proof}}".encode()], [theirs.fileno()])
    theirs.close()
    return ours.recv(100).decode()
found = [claim({any_address()!r}, proof) for proof in ("", "0" * 64, "\\u00e9")]
# What is no claim at all does no harm.
desk = socket.socket(fileno=socket.dup(4))
for message in (b"", b"\\xff\\xfe", b"x" * 900):
    desk.send(message)
    socket.send_fds(desk, [message or b" "], [0, 1, 2])
"""
        supervisor, found = self.start_zygote(source)
        self.assertEqual(found, ["Rthe supervisor has not given it"] * 3)
        self.assertEqual(supervisor.start(function("def main(): return 7")).value(), 7)

    def test_what_a_runner_was_given_is_not_given_twice(self):
        supervisor, _ = self.start_zygote("found = None")
        own = any_address()
        first = supervisor.start(function("import time\ndef main():\n    print('up')\n    time.sleep(600)"), address=own)
        self.addCleanup(first.close)
        first.until_line("up")
        second = supervisor.start(function("def main(): return 7"), address=own, runner_id="second")
        self.assertEqual(second.exit()["code"], 125)
        self.assertIn("no address: it is taken", "\n".join(second.lines))
        first.send(type="kill")
        first.exit()
        driver.wait_until(lambda: self.gets(supervisor, own), "the address is free again")

    def gets(self, supervisor, address):
        self.count = getattr(self, "count", 2) + 1
        return supervisor.start(function("def main(): return 7"), address=address, runner_id=f"r{self.count}").exit()["code"] == 0

    def test_the_end_of_the_zygote_leaves_its_runners_their_sockets(self):
        supervisor, _ = self.start_zygote("found = None")
        own = any_address()
        runner = supervisor.start(
            function("import socket, time\ndef main():\n    print('up')\n    time.sleep(1)\n    return socket.create_server(('0.0.0.0', 0)).getsockname()[0]"),
            address=own,
        )
        runner.until_line("up")
        supervisor.control.close()
        self.assertEqual(runner.value(), own)


for_each_mode(globals(), BuildCase)
for_each_mode(globals(), ImportCase)
del Case

if __name__ == "__main__":
    unittest.main()
