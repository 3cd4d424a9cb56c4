"""An app that cannot start."""

import fal


class Broken(fal.App):
    machine_type = "S"

    def setup(self):
        raise RuntimeError("setup fails on purpose")

    @fal.endpoint("/")
    def never(self) -> dict:
        return {}
