"""Exec sandbox of the supervisor; README.md says how to call it."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lanner_bridge.launcher import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
