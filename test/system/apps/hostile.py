"""An app that misbehaves on request; used by the fault tests."""

import os
import signal
import socket
import subprocess
import sys
import time

import fal
from pydantic import BaseModel


class Empty(BaseModel):
    pass


class Hostile(fal.App, keep_alive=60, max_concurrency=1, termination_grace_period_seconds=2):
    machine_type = "S"

    @fal.endpoint("/")
    def hello(self) -> dict:
        return {"pid": os.getpid(), "uid": os.getuid(), "host": socket.gethostname()}

    @fal.endpoint("/print-much")
    def print_much(self) -> dict:
        line = "x" * 1023 + "\n"
        for _ in range(1024 * 256):
            sys.stdout.write(line)
        return {"printed": 1024 * 256}

    @fal.endpoint("/ignore-sigterm")
    async def ignore_sigterm(self) -> dict:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return {}

    @fal.endpoint("/leave-children")
    def leave_children(self) -> dict:
        children = [subprocess.Popen(["sleep", "1000"], start_new_session=True).pid for _ in range(3)]
        return {"children": children}

    @fal.endpoint("/look-around")
    def look_around(self, data_dir: str = "") -> dict:
        def readable(path):
            try:
                return sorted(os.listdir(path))[:50]
            except OSError as error:
                return type(error).__name__

        processes = [name for name in os.listdir("/proc") if name.isdigit()]
        umount = subprocess.run(["umount", "-l", "/proc"], capture_output=True, text=True)
        return {
            "root": readable("/"),
            "home": readable("/root"),
            "data_dir": readable(data_dir) if data_dir else None,
            "processes": len(processes),
            "umount": umount.returncode,
            "key_in_env": bool(os.environ.get("FAL_KEY")),
        }

    @fal.endpoint("/write-data")
    def write_data(self, text: str = "") -> dict:
        path = "/data/note.txt"
        before = open(path).read() if os.path.exists(path) else None
        with open(path, "w") as file:
            file.write(text)
        return {"before": before}
