"""Whether a broker makes the addresses of sockets right, found by doing it once. Run by the probe in a sandbox that has an address."""

import socket

# No runner has it, and it collides with nobody: the port is the kernel's choice.
TRIAL_ADDRESS = "127.31.255.254"
_TIMEOUT_SECONDS = 5


def find_problem():
    """None where it works, else what does not, in one line."""
    try:
        with socket.socket() as server, socket.socket() as client:
            server.bind(("0.0.0.0", 0))
            server.listen()
            address, port = server.getsockname()
            client.settimeout(_TIMEOUT_SECONDS)
            client.connect(("127.0.0.1", port))
            if address != TRIAL_ADDRESS:
                return f"a socket was bound to {address}"
    except OSError as error:
        return str(error)
    return None
