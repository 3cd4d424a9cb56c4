"""What only the kernel's help can do with the addresses of a runner: programs in C, programs started anew, races."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import address_case
from address_case import NATIVE, SERVER, is_open, machine_address
from driver import any_address, function, problem_with_kernel_addresses
from modes import for_each_mode, modes


@unittest.skipIf(problem_with_kernel_addresses(), problem_with_kernel_addresses())
class KernelAddressCase(address_case.Case):
    """What only the kernel's help can do."""

    def test_programs_started_anew_and_native_servers_get_the_runners_address(self):
        runner = self.start(
            NATIVE
            + """
import subprocess, sys
def main():
    child = subprocess.Popen([sys.executable, "-m", "http.server", "8080", "--bind", "0.0.0.0"], cwd="/app" if os.path.isdir("/app") else None)
    native_server = serve("0.0.0.0", 8081)
    loopback = serve("127.0.0.1", 8082)
    child.wait()
"""
        )
        ports = set()
        while len(ports) < 3:
            header, _ = runner.until("listening")
            self.assertEqual(header["address"], self.own)
            ports.add(header["port"])
        self.assertEqual(ports, {8080, 8081, 8082})
        for port in ports:
            self.assertTrue(is_open(self.own, port))
            for elsewhere in filter(None, ("127.0.0.1", machine_address())):
                self.assertFalse(is_open(elsewhere, port), (elsewhere, port))

    def test_a_runner_cannot_reach_anothers_address_nor_take_it(self):
        other = any_address()
        server = self.start(SERVER, address=other, env={"NAME": "other"}, runner_id="other")
        server.until("listening")
        runner = self.start(
            NATIVE
            + f"""
def main():
    outcomes = []
    for ip in ("{other}", "127.200.1.1"):
        for family, text in ((socket.AF_INET, ip), (socket.AF_INET6, "::ffff:" + ip)):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                outcomes.append(socket.socket(family, kind).connect_ex((text, 8080)))
    try:
        native("connect", socket.socket().detach(), "{other}", 8080)
    except OSError as error:
        outcomes.append(error.errno)
    try:
        socket.socket().sendto(b"GET / HTTP/1.0\\r\\n\\r\\n", socket.MSG_FASTOPEN, ("{other}", 8080))
    except OSError as error:
        outcomes.append(error.errno == 95)
    return outcomes, serve("{other}", 8090).getsockname()
"""
        )
        outcomes, taken = runner.value()
        self.assertEqual(outcomes, [111] * 9 + [True])
        self.assertEqual(taken, (self.own, 8090))

    def test_what_gets_around_the_filter_is_refused(self):
        runner = self.start(
            """
            import ctypes
            def main():
                libc = ctypes.CDLL(None, use_errno=True)
                return libc.syscall(425, 8, bytes(120)), ctypes.get_errno()
            """
        )
        self.assertEqual(runner.value(), (-1, 38))

    def test_a_runner_finds_its_own_servers_by_every_name(self):
        runner = self.start(
            NATIVE
            + f"""
def main():
    servers = [serve("0.0.0.0", 8080), serve("127.0.0.1", 8081), serve("{self.own}", 8082)]
    found = []
    for server in servers:
        server.settimeout(10)
        for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "::ffff:127.0.0.1", "{self.own}", {machine_address()!r} or "127.0.0.1", socket.gethostname()):
            with socket.create_connection((host, server.getsockname()[1]), 10):
                found.append(server.accept()[0].getsockname()[0])
    return found
"""
        )
        self.assertEqual(set(runner.value()), {self.own})

    def test_a_service_of_the_machine_is_there_again_when_the_runners_own_server_has_gone(self):
        with socket.create_server(("127.0.0.1", 0)) as service:
            port = service.getsockname()[1]
            runner = self.start(
                f"""
                import socket
                def main():
                    server = socket.create_server(("0.0.0.0", {port}))
                    own = socket.create_connection(("127.0.0.1", {port}), 10).getpeername()[0]
                    server.close()
                    return own, socket.create_connection(("127.0.0.1", {port}), 10).getpeername()[0]
                """
            )
            self.assertEqual(runner.value(), (self.own, "127.0.0.1"))

    def test_a_port_of_the_kernels_choice_is_told_truly(self):
        runner = self.start(
            NATIVE
            + """
def main():
    told = []
    for ip in ("0.0.0.0", "127.0.0.1"):
        server = serve(ip, 0)
        told.append(server.getsockname())
        socket.create_connection(("127.0.0.1", told[-1][1]), 10)
    return told
"""
        )
        for address, port in runner.value():
            self.assertEqual(address, self.own)
            self.assertGreater(port, 0)

    def test_forked_workers_share_a_port_and_inherit_sockets(self):
        runner = self.start(
            """
            import os, socket
            def work(number, shared, ready):
                own = socket.socket()
                own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                own.bind(("0.0.0.0", 8081)); own.listen()
                ready.send(b"r")
                connection, _ = shared.accept()
                connection.send(b"%d" % number)
                os._exit(0)
            def main():
                shared = socket.create_server(("0.0.0.0", 8080))
                ours, ready = socket.socketpair()
                workers = [os.fork() or work(number, shared, ready) for number in range(2)]
                both_listen = [ours.recv(1) for _ in workers] == [b"r", b"r"]
                return both_listen, sorted(socket.create_connection(("127.0.0.1", 8080), 10).recv(1) for _ in workers)
            """
        )
        self.assertEqual(runner.value(), (True, [b"0", b"1"]))

    def test_a_pid_namespace_of_an_apps_own_does_not_hide_whose_it_is(self):
        runner = self.start(
            """
            import ctypes, os, socket
            def main():
                ours, theirs = socket.socketpair()
                if os.fork() == 0:
                    if ctypes.CDLL(None).unshare(0x10000000 | 0x20000000) < 0:  # NEWUSER, NEWPID
                        theirs.send(b"cannot"); os._exit(0)
                    if os.fork() == 0:
                        theirs.send(f"{os.getpid()} {socket.create_server(('0.0.0.0', 0)).getsockname()[0]}".encode())
                    os._exit(0)
                return ours.recv(100).decode()
            """
        )
        found = runner.value()
        if found == "cannot":
            self.skipTest("no namespaces for apps on this machine")
        self.assertEqual(found, f"1 {self.own}")

    def test_a_blocking_connect_waits_and_holds_up_nobody(self):
        runner = self.start(
            NATIVE
            + """
import signal, threading, time
def main():
    # A full backlog: what connects now waits.
    server = socket.socket(); server.bind(("0.0.0.0", 8080)); server.listen(0)
    fillers = []
    for _ in range(8):
        filler = socket.socket(); filler.setblocking(False); filler.connect_ex(("127.0.0.1", 8080)); fillers.append(filler)
    time.sleep(0.05)
    class Alarm(Exception): pass
    def ring(*_): raise Alarm
    signal.signal(signal.SIGALRM, ring)
    waited = threading.Thread(target=lambda: socket.create_connection(("127.0.0.1", 8080)), daemon=True)
    waited.start()
    blocked = socket.socket()
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    started = time.monotonic()
    try:
        blocked.connect(("127.0.0.1", 8080))
        outcome = "connected"
    except Alarm:
        outcome = "interrupted"
    took = time.monotonic() - started
    others = socket.create_server(("127.0.0.1", 0))  # nobody is held up meanwhile
    timed = socket.socket()
    timed.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 200000))
    return outcome, took < 5, timed.connect_ex(("127.0.0.1", 8080))
"""
        )
        self.assertEqual(runner.value(), ("interrupted", True, 115))

    def test_unix_sockets_work_by_every_kind_of_name(self):
        runner = self.start(
            r"""
            import os, socket, tempfile
            def main():
                folder = tempfile.mkdtemp(); os.chdir(folder)
                read = []
                for bound, names in (("relative", ["relative", "./relative", folder + "/relative", "/proc/self/cwd/relative"]), ("l" * 107, ["l" * 107]), ("\0abstract-" + folder, ["\0abstract-" + folder])):
                    server = socket.socket(socket.AF_UNIX); server.bind(bound); server.listen()
                    for name in names:
                        client = socket.socket(socket.AF_UNIX); client.connect(name)
                        client.send(name.encode()); read.append(server.accept()[0].recv(200).decode() == name)
                try:
                    socket.socket(socket.AF_UNIX).connect("missing")
                except FileNotFoundError:
                    read.append("missing")
                return read
            """
        )
        self.assertEqual(runner.value(), [True] * 6 + ["missing"])

    def test_no_link_leads_to_a_unix_socket_beyond_the_runners_root(self):
        if self.mode == "process-group":
            self.skipTest("it has the machine's root")
        path = self.supervisor.listener.getsockname()
        runner = self.start(
            f"""
            import os, socket, tempfile
            def main():
                folder = tempfile.mkdtemp(); os.chdir(folder)
                os.symlink({os.path.dirname(path)!r}, "link"); os.symlink({path!r}, "direct"); os.symlink("/", "top"); os.mkdir("real")
                server = socket.socket(socket.AF_UNIX); server.bind(folder + "/real/own"); server.listen()
                names = ["link/runners.sock", "direct", "top{path}", {path!r}, "/proc/self/cwd/link/runners.sock", "/proc/self/../1/root{path}", "../" * 6 + {path!r}]
                return [socket.socket(socket.AF_UNIX).connect_ex(name) for name in names + ["top" + folder + "/real/own", "/proc/self/root" + folder + "/real/own"]]
            """
        )
        self.assertEqual(runner.value(), [2] * 7 + [0] * 2)

    def test_a_unix_socket_that_is_busy_is_waited_for(self):
        runner = self.start(
            """
            import os, socket, tempfile, threading, time
            def main():
                os.chdir(tempfile.mkdtemp())
                server = socket.socket(socket.AF_UNIX); server.bind("busy"); server.listen(0)
                first, second = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
                first.connect("busy")
                impatient = socket.socket(socket.AF_UNIX); impatient.setblocking(False)
                busy = impatient.connect_ex("busy")
                waiting = threading.Thread(target=second.connect, args=("busy",)); waiting.start()
                server.accept(); server.accept()
                waiting.join(10)
                return busy, waiting.is_alive()
            """
        )
        self.assertEqual(runner.value(), (11, False))

    def test_abstract_names_of_others_are_out_of_reach(self):
        with socket.socket(socket.AF_UNIX) as outside:
            outside.bind("")  # a name of the kernel's choice
            outside.listen()
            runner = self.start(
                f"""
                import socket
                def main():
                    foreign = socket.socket(socket.AF_UNIX).connect_ex({outside.getsockname()!r})
                    own = socket.socket(socket.AF_UNIX); own.bind(""); own.listen()
                    return foreign, socket.socket(socket.AF_UNIX).connect_ex(own.getsockname())
                """
            )
            self.assertEqual(runner.value(), (111, 0))

    def test_ipv4_and_ipv6_side_by_side_are_one_server(self):
        runner = self.start(
            """
            import socket
            def main():
                four, six = socket.socket(), socket.socket(socket.AF_INET6)
                six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                for server, host in ((four, "0.0.0.0"), (six, "::")):
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    server.bind((host, 8080)); server.listen()
                socket.create_connection(("::1", 8080), 10)
                return four.accept()[0].getsockname(), six.getsockname()[0]
            """
        )
        name, six = runner.value()
        self.assertEqual((name, six), ((self.own, 8080), f"::ffff:{self.own}"))

    def test_errors_of_the_kernel_are_the_callers(self):
        runner = self.start(
            r"""
            import ctypes, os, socket
            def main():
                libc = ctypes.CDLL(None, use_errno=True)
                def outcome(call, *arguments):
                    return 0 if getattr(libc, call)(*arguments) == 0 else ctypes.get_errno()
                good = b"\2\0\x1f\x90\x7f\0\0\1" + bytes(8)
                fd, null = socket.socket().detach(), os.open("/dev/null", os.O_RDONLY)
                return [
                    outcome("bind", 999, good, 16), outcome("connect", -1, good, 16), outcome("listen", null, 1), outcome("bind", null, good, 16),
                    outcome("bind", fd, None, 16), outcome("bind", fd, good, 3), outcome("bind", fd, good, 4000),
                    outcome("bind", fd, b"\2\0\x1f\x90\xc0\0\2\1" + bytes(8), 16), outcome("bind", fd, good, 16), outcome("bind", fd, good, 16),
                    outcome("connect", socket.socket().detach(), b"\2\0\0\1\x7f\0\0\1" + bytes(8), 16),
                ]
            """
        )
        self.assertEqual(runner.value(), [9, 9, 88, 88, 14, 22, 22, 99, 0, 22, 111])

    @unittest.skipUnless(shutil.which("cc"), "no C compiler")
    def test_a_server_in_c_without_a_libc_call_in_between(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        source = """
            #include <arpa/inet.h>
            #include <sys/socket.h>
            #include <unistd.h>
            int main(void) {
                struct sockaddr_in6 all = {.sin6_family = AF_INET6, .sin6_port = htons(8080)};
                int fd = socket(AF_INET6, SOCK_STREAM, 0);
                if (bind(fd, (struct sockaddr *)&all, sizeof all) || listen(fd, 5)) return 1;
                for (;;) {
                    int connection = accept(fd, 0, 0);
                    write(connection, "native", 6);
                    close(connection);
                }
            }
        """
        with open(os.path.join(folder, "server.c"), "w") as file:
            file.write(textwrap.dedent(source))
        subprocess.run(["cc", "-static", "-o", f"{folder}/server", f"{folder}/server.c"], check=True)
        with open(f"{folder}/server", "rb") as file:
            binary = file.read()
        runner = self.start(
            """
            import os, subprocess, tempfile
            def main(binary):
                path = os.path.join(tempfile.mkdtemp(), "server")
                with open(path, "wb") as file:
                    file.write(binary)
                os.chmod(path, 0o755)
                subprocess.run([path])
            """,
            setup=function(f"def main():\n    return {binary!r}"),
        )
        header, _ = runner.until("listening")
        self.assertEqual((header["port"], header["address"]), (8080, self.own))
        with socket.create_connection((self.own, 8080), 10) as connection:
            self.assertEqual(connection.recv(6), b"native")


@unittest.skipIf(problem_with_kernel_addresses(), problem_with_kernel_addresses())
class Races(address_case.Case):
    """Once, in the mode that isolates most: they take long."""

    options = list(modes().values())[-1]

    def test_what_a_program_shows_is_what_is_used(self):
        other = any_address()
        server = self.start(SERVER, address=other, env={"NAME": "other"}, runner_id="other")
        server.until("listening")
        with socket.create_server(("127.0.0.1", 0), backlog=1000) as service:
            runner = self.start(
                NATIVE
                + f"""
import sys, threading
sys.setswitchinterval(1e-5)
def main():
    allowed, refused = name("127.0.0.1", {service.getsockname()[1]}), name("{other}", 8080)
    shown, is_over = ctypes.create_string_buffer(allowed, 16), threading.Event()
    def swap():
        while not is_over.is_set():
            shown.raw = refused
            shown.raw = allowed
    threading.Thread(target=swap).start()
    peers = set()
    for _ in range(200):
        with socket.socket() as client:
            if libc.connect(client.fileno(), shown, 16) == 0:
                peers.add(client.getpeername()[0])
    is_over.set()
    return peers
"""
            )
            self.assertEqual(runner.value(), {"127.0.0.1"})

    def test_a_runner_that_makes_its_connects_wait_does_not_hold_up_another_one(self):
        """Its broker connects without blocking, and the runner takes that back from another thread, to where nobody answers."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as fillers:
            for _ in range(4):
                filler = fillers.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            stalling = self.start(
                f"""
                import fcntl, signal, socket, sys, threading
                sys.setswitchinterval(1e-5)
                number = None
                class Alarm(Exception): pass
                def ring(*_): raise Alarm
                def flip():
                    while True:
                        try:
                            fcntl.fcntl(number, fcntl.F_SETFL, 0)
                        except (OSError, TypeError):
                            pass
                def main():
                    global number
                    signal.signal(signal.SIGALRM, ring)
                    threading.Thread(target=flip, daemon=True).start()
                    print("up", flush=True)
                    while True:
                        with socket.socket() as client:
                            number = client.fileno()
                            try:
                                signal.setitimer(signal.ITIMER_REAL, 0.01)
                                client.connect(("127.0.0.1", {full.getsockname()[1]}))
                            except (OSError, Alarm):
                                pass
                """
            )
            stalling.until_line("up")
            runner = self.start(
                """
                import socket, time
                def main():
                    longest = 0
                    for _ in range(100):
                        with socket.socket() as client:
                            begin = time.monotonic()
                            client.connect_ex(("127.0.0.1", 1))
                            longest = max(longest, time.monotonic() - begin)
                        time.sleep(0.01)
                    return longest
                """,
                address=any_address(),
                runner_id="other",
            )
            self.assertLess(runner.value(), 2)

    def test_signals_do_not_disturb(self):
        runner = self.start(
            """
            import signal, socket
            def main():
                signal.signal(signal.SIGALRM, lambda *_: None)
                signal.siginterrupt(signal.SIGALRM, False)
                signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
                server = socket.create_server(("0.0.0.0", 0), backlog=500)
                for _ in range(200):
                    with socket.socket() as bound, socket.socket() as client:
                        bound.bind(("0.0.0.0", 0)); bound.listen()
                        client.connect(("127.0.0.1", server.getsockname()[1]))
                return "undisturbed"
            """
        )
        self.assertEqual(runner.value(), "undisturbed")


for_each_mode(globals(), KernelAddressCase)
