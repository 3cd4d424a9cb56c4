"""`sandbox.py --probe`: which isolation this machine offers; README.md says more."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lanner_bridge.probe import probe  # noqa: E402

if __name__ == "__main__":
    if sys.argv[1:] != ["--probe"]:
        sys.exit("usage: sandbox.py --probe")
    print(json.dumps(probe()))
