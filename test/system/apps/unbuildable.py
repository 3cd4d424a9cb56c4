"""An app whose environment cannot be built, and one whose runner dies before it serves."""

import fal


class Unbuildable(fal.App):
    machine_type = "S"
    requirements = ["lanner-no-such-package==9.9.9"]

    @fal.endpoint("/")
    def never(self) -> dict:
        return {}


@fal.function(exposed_port=8080, keep_alive=60)
def dies_at_start():
    import sys

    print("the disk is on fire", file=sys.stderr, flush=True)
    raise SystemExit(3)
