"""What becomes of the addresses that the programs of a runner ask for, with the kernel's help and without."""

import http.client
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import address_case
from address_case import SERVER, machine_address
from driver import any_address, function
from modes import for_each_mode


class AddressCase(address_case.Case):
    """What holds with the kernel's help and without."""

    def test_two_runners_listen_on_the_same_port_of_every_interface(self):
        addresses = [any_address() for _ in range(2)]
        for number, address in enumerate(addresses):
            runner = self.start(SERVER, address=address, env={"NAME": f"runner{number}"}, runner_id=f"runner-{number}")
            header, _ = runner.until("listening")
            self.assertEqual((header["port"], header["address"]), (8080, address))
        for number, address in enumerate(addresses):
            connection = http.client.HTTPConnection(address, 8080, timeout=10)
            connection.request("GET", "/x")
            self.assertEqual(connection.getresponse().read().decode(), f"runner{number} /x")
            connection.close()

    def test_nothing_listens_where_other_machines_could_reach_it(self):
        runner = self.start(
            """
            import asyncio, os, socket
            OWN = os.environ["OWN"]
            async def main():
                async def serve(reader, writer):
                    writer.write(b"hi"); await writer.drain(); writer.close()
                servers = [await asyncio.start_server(serve, host, 0 if port is None else port)
                           for host, port in ((None, 7101), ("0.0.0.0", 7102), ("::", 7103), ("127.0.0.1", 7104), ("localhost", 7105), ("0.0.0.0", None))]
                fresh = socket.socket(); fresh.listen()
                names = [sock.getsockname()[0] for server in servers for sock in server.sockets] + [fresh.getsockname()[0]]
                read = []
                for host in ("127.0.0.1", "localhost", OWN):
                    reader, writer = await asyncio.open_connection(host, 7102)
                    read.append(await reader.read())
                    writer.close()
                return names, read
            """
        )
        names, read = runner.value()
        # The loopback addresses: sockets that are the second of a pair.
        own = {self.own, f"::ffff:{self.own}", "::1", "127.0.0.1"}
        self.assertEqual(set(names) - own, set())
        self.assertEqual(read, [b"hi"] * 3)

    def test_clients_that_bind_reach_the_world(self):
        address = machine_address()
        if address is None:
            self.skipTest("this machine has no address but loopback ones")
        with socket.create_server(("0.0.0.0", 0)) as outside:
            runner = self.start(
                """
                import socket
                def main(where):
                    client, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
                    client.bind(("0.0.0.0", 0)); udp.bind(("0.0.0.0", 0))
                    client.settimeout(10)
                    client.connect(where)
                    return client.getpeername(), client.gettimeout(), client.get_inheritable(), udp.getsockname()[0]
                """,
                setup=function(f"def main():\n    return {(address, outside.getsockname()[1])!r}"),
            )
            self.assertEqual(runner.value(), ((address, outside.getsockname()[1]), 10, False, "0.0.0.0"))

    def test_a_port_that_is_taken_is_still_an_error(self):
        runner = self.start(
            """
            import errno, socket
            def main():
                first, second = socket.socket(), socket.socket()
                first.bind(("", 7201)); first.listen()
                try:
                    second.bind(("0.0.0.0", 7201))
                except OSError as error:
                    return errno.errorcode[error.errno]
            """
        )
        self.assertEqual(runner.value(), "EADDRINUSE")

    def test_services_of_the_machine_stay_reachable(self):
        with socket.create_server(("127.0.0.1", 0)) as service:
            port = service.getsockname()[1]
            runner = self.start(
                f"""
                import socket
                def main():
                    return [socket.create_connection((host, {port}), 10).getpeername()[0] for host in ("127.0.0.1", "localhost")]
                """
            )
            self.assertEqual(runner.value(), ["127.0.0.1"] * 2)


for_each_mode(
    globals(),
    AddressCase,
    more_modes={"process-group-python-addresses": {"sandbox": "process-group", "python_addresses": True}, "namespaces-python-addresses": {"python_addresses": True}},
)
