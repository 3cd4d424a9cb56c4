"""What a socket call of a runner costs when its init makes it (ADR 13), beside a runner whose Python sockets are patched instead.

Usage: python3 bench/runner-sockets-python.py [rounds]   (no server, no supervisor; prints medians and 95th percentiles in microseconds)
"""

import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../packages/supervisor/python/tests"))

from driver import FakeSupervisor, function, problem_with_kernel_addresses

SOURCE = """
import socket, statistics, time
def measure(make, where):
    with make() as sock:
        begin = time.perf_counter_ns()
        sock.connect(where)
        return (time.perf_counter_ns() - begin) / 1000
def serve(_):
    with socket.socket() as sock:
        begin = time.perf_counter_ns()
        sock.bind(("0.0.0.0", 0))
        sock.listen()
        return (time.perf_counter_ns() - begin) / 1000
def main():
    tcp, udp, unix = socket.socket, lambda: socket.socket(type=socket.SOCK_DGRAM), lambda: socket.socket(socket.AF_UNIX)
    own = unix()
    own.bind("own")
    own.listen(4096)
    calls = {{
        "TCP connect to 127.0.0.1": lambda: measure(tcp, ("127.0.0.1", {port})),
        "UDP connect": lambda: measure(udp, ("127.0.0.1", 9)),
        "Unix connect": lambda: measure(unix, "own"),
        "bind and listen": lambda: serve(tcp),
    }}
    found = {{}}
    for name, call in calls.items():
        samples = sorted([call() for _ in range({rounds} + 50)][50:])
        found[name] = statistics.median(samples), samples[len(samples) * 95 // 100]
    left, right = socket.socketpair()
    begin = time.perf_counter_ns()
    for _ in range(100_000):
        left.send(b"x")
        right.recv(1)
    found["send and recv"] = ((time.perf_counter_ns() - begin) / 1e8,) * 2
    return found
"""


def main():
    if problem_with_kernel_addresses():
        sys.exit(f"this kernel cannot hand over socket calls: {problem_with_kernel_addresses()}")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as service:
        threading.Thread(target=accept_all, args=(service,), daemon=True).start()
        source = SOURCE.format(port=service.getsockname()[1], rounds=rounds)
        for name, is_python in (("patched in Python", True), ("made by the init", False)) * 2:
            supervisor = FakeSupervisor(own_uid=os.geteuid() == 0, python_addresses=is_python)
            runner = supervisor.start(function(source))
            for call, (median, p95) in runner.value().items():
                print(f"{name:>18}  {call:<26} p50 {median:7.1f} µs   p95 {p95:7.1f} µs")
            runner.exit()
            supervisor.close()


def accept_all(service):
    while True:
        try:
            service.accept()[0].close()
        except OSError:
            return


if __name__ == "__main__":
    main()
