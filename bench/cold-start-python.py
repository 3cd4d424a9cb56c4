"""Fork → listening for a served app, from a warm zygote, without server and supervisor: what the Python half costs.

Usage: python3 bench/cold-start-python.py ENV_PYTHON PICKLED_APP [rounds]   (ENV_PYTHON: the environment's interpreter; PICKLED_APP: cloudpickle of a wrapped fal.App)
"""

import os
import statistics
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../packages/supervisor/python/tests"))

from driver import FakeSupervisor

PORT, METRICS_PORT = 8080, 9090
WARM_UP_ROUNDS = 3
# Time for the zygote to be idle again, as it is between two starts of an app.
PAUSE_SECONDS = 0.3


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip())
    python, path = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    with open(path, "rb") as file:
        definition = file.read()
    started = time.perf_counter()
    supervisor = FakeSupervisor(python, own_uid=os.geteuid() == 0)
    print(f"zygote ready {(time.perf_counter() - started) * 1000:.0f} ms, of it preload {supervisor.ready['preloadMs']:.0f} ms")
    samples = {"sandboxed": [], "setup": [], "listening": [], "first answer": []}
    for index in range(WARM_UP_ROUNDS + rounds):
        measured = one_start(supervisor, definition, index)
        if index >= WARM_UP_ROUNDS:
            for name, milliseconds in measured.items():
                samples[name].append(milliseconds)
    supervisor.close()
    for name, values in samples.items():
        values.sort()
        print(f"{name:>13}: p50 {statistics.median(values):6.1f}  min {values[0]:6.1f}  p90 {values[int(len(values) * 0.9)]:6.1f}  max {values[-1]:6.1f} ms")


def one_start(supervisor, definition, index):
    address = f"127.90.{index // 250}.{index % 250 + 1}"
    time.sleep(PAUSE_SECONDS)
    begin = time.perf_counter()
    fields = {"exposedPort": PORT, "metricsPort": METRICS_PORT, "runner_id": f"bench-{index}", "address": address}
    runner = supervisor.start(definition, method="cloudpickle", **fields)
    measured = {}
    while "listening" not in measured:
        header, _ = runner.next()
        if header["type"] == "exit":
            sys.exit(f"the app ended: {runner.lines} {runner.frames[-2:]}")
        if header["type"] in ("sandboxed", "setup") or header.get("port") == PORT:
            measured[header["type"]] = (time.perf_counter() - begin) * 1000
    urllib.request.urlopen(f"http://{address}:{PORT}/health").read()
    measured["first answer"] = (time.perf_counter() - begin) * 1000
    runner.send(type="kill")
    runner.exit()
    return measured


if __name__ == "__main__":
    main()
