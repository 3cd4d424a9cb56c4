import os
import socket
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lanner_bridge import seccomp, socket_names
from lanner_bridge.address_rules import AddressRules, Verdict
from lanner_bridge.socket_names import InternetName

OWN = "127.83.4.9"
MACHINE = ("10.1.2.3", "fd00::1")


def name(text, port):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return InternetName(socket.inet_pton(family, text), port)


class Rules(unittest.TestCase):
    rules = AddressRules(socket.inet_aton(OWN), lambda asked: asked.ip in [name(text, 0).ip for text in MACHINE])

    def expect(self, verdict, find, *texts):
        for text in texts:
            self.assertIs(find(text), verdict, text)

    def test_a_server_is_bound_to_the_runners_address(self):
        for port in (8080, 0):
            found = lambda text: self.rules.for_bind(name(text, port), True)  # noqa: E731, B023
            self.expect(Verdict.OWN, found, "0.0.0.0", "127.0.0.1", "127.0.0.53", "127.99.1.1", "::", "::1", *MACHINE)
            self.expect(Verdict.AS_ASKED, found, OWN, "192.0.2.1", "2001:db8::1")

    def test_datagram_sockets_are_servers_when_they_ask_for_a_port(self):
        with_port = lambda text: self.rules.for_bind(name(text, 5353), False)  # noqa: E731
        self.expect(Verdict.OWN, with_port, "0.0.0.0", "::", "127.99.1.1", *MACHINE)
        self.expect(Verdict.AS_ASKED, with_port, "127.0.0.1", "::1", OWN, "224.0.0.251")
        without = lambda text: self.rules.for_bind(name(text, 0), False)  # noqa: E731
        self.expect(Verdict.AS_ASKED, without, "0.0.0.0", "::", "127.0.0.1", *MACHINE)

    def test_a_client_is_led_to_the_runners_own_servers_and_kept_from_others(self):
        served = lambda text: self.rules.for_connect(name(text, 8080), lambda asked: asked.port == 8080)  # noqa: E731
        self.expect(Verdict.OWN, served, "127.0.0.1", "0.0.0.0", "::1", "::", *MACHINE)
        self.expect(Verdict.AS_ASKED, served, OWN, "192.0.2.1", "2001:db8::1")
        other = lambda text: self.rules.for_connect(name(text, 8080), lambda _: False)  # noqa: E731
        self.expect(Verdict.AS_ASKED, other, "127.0.0.1", "127.0.0.53", "127.31.255.255", "127.224.0.1", "::1", OWN, *MACHINE)
        for find in (served, other):
            self.expect(Verdict.REFUSED, find, "127.32.0.1", "127.223.255.254", "127.83.4.8")


class Names(unittest.TestCase):
    def test_ipv4_inside_ipv6_is_ipv4(self):
        packed = socket_names.pack(socket.AF_INET6, socket.inet_aton(OWN), 80)
        self.assertEqual(socket_names.parse(packed), InternetName(socket.inet_aton(OWN), 80))
        self.assertEqual(socket_names.parse(socket_names.pack(socket.AF_INET, socket.inet_aton(OWN), 80)), InternetName(socket.inet_aton(OWN), 80))

    def test_what_is_too_short_or_of_another_family_is_no_internet_name(self):
        whole = socket_names.pack(socket.AF_INET, socket.inet_aton(OWN), 80)
        for raw in (b"", b"\2", whole[:15], struct.pack("=H", socket.AF_UNIX) + b"/tmp/x" + bytes(20), struct.pack("=H", socket.AF_INET6) + bytes(21)):
            self.assertIsNone(socket_names.parse(raw))


class Filter(unittest.TestCase):
    """The program run by hand, for architectures other than this one too."""

    def run_filter(self, numbers, arch, number, *arguments):
        data = struct.pack("=iIQ6Q", number, arch, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
        program = list(struct.iter_unpack("HBBI", seccomp.socket_filter(numbers)))
        at = accumulator = 0
        while True:
            code, if_true, if_false, value = program[at]
            at += 1
            if code == 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            elif code == 0x06:
                return value
            else:
                holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
                at += if_true if holds else if_false

    def test_servers_and_clients_are_handed_over_and_ways_around_are_refused(self):
        allow, notify, errno = 0x7FFF0000, 0x7FC00000, 0x00050000
        for machine, numbers in seccomp._CALLS.items():
            run = lambda *call: self.run_filter(numbers, *call)  # noqa: E731, B023
            for number in (numbers.bind, numbers.listen, numbers.connect):
                self.assertEqual(run(numbers.arch, number), notify, machine)
            for number in (425, numbers.userfaultfd):
                self.assertEqual(run(numbers.arch, number), errno | 38)
            for number, at in ((numbers.sendto, 3), (numbers.sendmsg, 2), (numbers.sendmmsg, 3)):
                self.assertEqual(run(numbers.arch, number, *[0] * at, 0x20000000 | 0x4000), errno | 95)
                self.assertEqual(run(numbers.arch, number, *[0] * at, 0x4000), allow)
            self.assertEqual(run(numbers.arch, 0), allow)
            foreign, refused = numbers.foreign
            for number in refused:
                self.assertEqual(run(foreign, number), errno | 1)
            self.assertEqual(run(foreign, 1), allow)
            self.assertEqual(run(0x12345678, 1), errno | 38)
        x86 = seccomp._CALLS["x86_64"]
        self.assertEqual(self.run_filter(x86, x86.arch, 0x40000000 | x86.connect), errno | 38)
