"""A command inside a runner, beside its app; README.md says how to call it."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lanner_bridge.session import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
