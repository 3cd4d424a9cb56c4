"""Which address a socket of a runner gets, whatever its program asks for. Pure; socket_broker.py carries it out.

Every runner has a loopback address of its own. Nothing it listens on is reachable off the machine, two runners may use one port, and
none reaches another. The rules:

| asked for | done |
|---|---|
| TCP: bind to a wildcard, a loopback address or an address of the machine, with or without a port | bound to the runner's address |
| UDP: bind to a wildcard or an address of the machine, with a port | bound to the runner's address |
| UDP: bind without a port | left alone: it is a client, and a client's source must be routable |
| UDP: bind to a loopback address | left alone, but for the addresses of other runners |
| connect to a loopback address, a wildcard or an address of the machine, with a port this runner uses | led to the runner's address |
| connect to the address of another runner | refused |
| connect to an abstract Unix name that this runner has not bound | refused: such names are the whole machine's |
| everything else | left alone: services of the machine on 127.0.0.1 and the world outside stay reachable |
"""

import enum

# Second octets of the addresses that runners get: packages/supervisor/src/runners/address-pool.ts.
_FIRST_SECOND_OCTET, _LAST_SECOND_OCTET = 32, 223


class Verdict(enum.Enum):
    AS_ASKED = 1
    OWN = 2
    REFUSED = 3


class AddressRules:
    """`own`: the runner's address as 4 bytes. `is_of_machine(name)` tells whether this machine has an address; asked only when it matters."""

    def __init__(self, own, is_of_machine):
        self.own = own
        self._is_of_machine = is_of_machine

    def for_bind(self, name, is_stream):
        if name.ip == self.own:
            return Verdict.AS_ASKED
        if is_stream:
            is_here = name.is_wildcard or name.is_loopback or self._is_of_machine(name)
            return Verdict.OWN if is_here else Verdict.AS_ASKED
        if name.is_loopback:
            return Verdict.OWN if self._is_of_a_runner(name) else Verdict.AS_ASKED
        is_served = name.port and (name.is_wildcard or self._is_of_machine(name))
        return Verdict.OWN if is_served else Verdict.AS_ASKED

    def for_connect(self, name, is_served):
        """`is_served(name)`: this runner listens on the port of that name (TCP), or is bound to it (UDP); asked only when it matters."""
        if name.ip == self.own:
            return Verdict.AS_ASKED
        if self._is_of_a_runner(name):
            return Verdict.REFUSED
        if not is_served(name):
            return Verdict.AS_ASKED
        is_here = name.is_wildcard or name.is_loopback or self._is_of_machine(name)
        return Verdict.OWN if is_here else Verdict.AS_ASKED

    def leaves_machine(self, name):
        """A socket bound to a loopback address cannot connect there."""
        return not (name.is_wildcard or name.is_loopback)

    @staticmethod
    def _is_of_a_runner(name):
        return len(name.ip) == 4 and name.ip[0] == 127 and _FIRST_SECOND_OCTET <= name.ip[1] <= _LAST_SECOND_OCTET
