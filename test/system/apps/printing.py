"""An app that goes on printing by itself, whoever has gone away meanwhile."""

import os
import threading
import time

import fal


class PrintingApp(fal.App, keep_alive=60):
    machine_type = "S"

    def setup(self):
        self.printed = 0

    def _print(self, lines: int):
        for number in range(lines):
            print(f"tick {number}.", flush=True)
            self.printed += 1
            time.sleep(0.004)

    @fal.endpoint("/start")
    def start(self, lines: int) -> dict:
        threading.Thread(target=self._print, args=(lines,), daemon=True).start()
        return {"job": os.environ["FAL_JOB_ID"]}

    @fal.endpoint("/printed")
    def count(self) -> int:
        return self.printed
