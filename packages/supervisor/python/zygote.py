"""Zygote of one environment; README.md says how to call it. Runs on the environment's own interpreter."""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
# Our folder must not shadow modules of the app: it is on the path only while our own package is imported.
sys.path[:] = [_HERE] + [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
sys.dont_write_bytecode = True

from lanner_bridge.zygote import main  # noqa: E402

sys.path.remove(_HERE)

if __name__ == "__main__":
    sys.exit(main())
