import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from driver import function
from modes import ModeCase, for_each_mode

# Enough of uvicorn to be patched: a module that is found on the path, and a Config that loads an app.
SERVED = """
import asyncio, os, sys, tempfile, threading

def load(app):
    folder = tempfile.mkdtemp()
    os.mkdir(os.path.join(folder, "uvicorn"))
    open(os.path.join(folder, "uvicorn", "__init__.py"), "w").close()
    with open(os.path.join(folder, "uvicorn", "config.py"), "w") as file:
        file.write("class Config:\\n    def __init__(self, app): self.app = app\\n    def load(self): self.loaded_app = self.app\\n")
    # Where the zygote has the real one it is patched already, and this one is not found as a new module.
    was_there = [name for name in sys.modules if name.split(".")[0] == "uvicorn"]
    for name in was_there:
        del sys.modules[name]
    sys.path.insert(0, folder)
    from uvicorn.config import Config
    if was_there:
        sys.modules["lanner_bridge.request_labels"]._patch_uvicorn(sys.modules["uvicorn.config"])
    config = Config(app)
    config.load()
    return config.loaded_app

def scope(request_id):
    return {"type": "http", "headers": [(b"host", b"x"), (b"x-fal-request-id", request_id.encode()), (b"x-fal-endpoint", b"me/app/")]}

def serve(app, *request_ids):
    loaded = load(app)
    async def all_at_once():
        await asyncio.gather(*[loaded(scope(request_id), None, None) for request_id in request_ids])
    asyncio.run(all_at_once())
"""


class LabelsCase(ModeCase):
    def logs(self, source):
        runner = self.start(SERVED + source)
        runner.value()
        runner.exit()
        logs = [frame for frame in runner.frames if frame["type"] == "log"]
        return [(frame["line"], frame.get("labels", {}).get("fal_request_id"), frame["stream"]) for frame in logs]

    def test_lines_of_requests_that_run_at_once_carry_their_own_request_each(self):
        logs = self.logs(
            """
def main():
    print("before")
    async def app(scope, receive, send):
        name = dict(scope["headers"])[b"x-fal-request-id"].decode()
        for step in range(3):
            print(name, end=" ")
            await asyncio.sleep(0.01)
            print("step", step)
        await asyncio.to_thread(lambda: print(name, "in a thread", file=sys.stderr))
    serve(app, "one", "two")
    print("after")
    return None
"""
        )
        self.assertIn(("before", None, "stdout"), logs)
        self.assertIn(("after", None, "stdout"), logs)
        for name in ("one", "two"):
            own = sorted(line for line, request, _ in logs if request == name)
            self.assertEqual(own, [f"{name} in a thread", *[f"{name} step {step}" for step in range(3)]])

    def test_progress_bars_unfinished_lines_and_long_ones_keep_their_request(self):
        logs = self.logs(
            """
def main():
    async def app(scope, receive, send):
        sys.stderr.write("\\r 10%")
        sys.stderr.write("\\r 20%\\n")
        print("é" * 40_000)
        print()
        print("no end", end="")
    serve(app, "one")
    return None
"""
        )
        self.assertEqual([line for line, _, stream in logs if stream == "stderr"], [" 10%", " 20%"])
        out = [line for line, _, stream in logs if stream == "stdout"]
        self.assertEqual([len(line) for line in out], [15000, 15000, 10000, 0, 6])
        self.assertEqual({request for _, request, _ in logs}, {"one"})

    def test_what_is_written_past_pythons_streams_has_no_request_and_takes_none(self):
        logs = self.logs(
            """
def main():
    async def app(scope, receive, send):
        os.write(1, b"raw, no end")
        print("mine")
        sys.stdout.buffer.write(b"bytes\\n")
        os.system("echo program")
    serve(app, "one")
    return None
"""
        )
        self.assertEqual(
            [(line, request) for line, request, _ in logs],
            [("raw, no end", None), ("mine", "one"), ("bytes", None), ("program", None)],
        )

    def test_forged_marks_change_nothing_but_the_apps_own_lines(self):
        logs = self.logs(
            """
def main():
    for labels in (b"{", b"[" * 100_000, b'{"a": 1}', b'{"type": "exit"}'):
        os.write(1, sys.stdout.mark + labels + b"\\0text\\n")
    os.write(1, b"\\0odd\\0line\\n")
    return None
"""
        )
        self.assertEqual(logs[-1], ("\0odd\0line", None, "stdout"))
        self.assertEqual([request for _, request, _ in logs], [None] * len(logs))

    def test_streams_stay_text_files(self):
        runner = self.supervisor.start(
            function(
                """
                import io, sys
                def main():
                    return isinstance(sys.stdout, io.TextIOWrapper), sys.stdout.fileno(), sys.stderr.isatty(), sys.stdout.encoding, sys.stdout.mode
                """
            )
        )
        self.addCleanup(runner.close)
        self.assertEqual(runner.value(), (True, 1, False, "utf-8", "w"))


for_each_mode(globals(), LabelsCase)


if __name__ == "__main__":
    unittest.main()
