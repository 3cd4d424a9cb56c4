"""The official command line in one process: a start costs a second, and the comparison makes dozens of calls.

Reads one JSON object per line, `{"argv": [...], "stdin": "..."}`, runs it as `fal` would be, and answers with
`{"code", "stdout", "stderr"}`.
"""

import contextlib
import io
import json
import sys

from fal.cli.main import main

answers = sys.stdout
for line in sys.stdin:
    call = json.loads(line)
    out, err = io.StringIO(), io.StringIO()
    typed, sys.stdin = sys.stdin, io.StringIO(call.get("stdin", ""))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(call["argv"])
            except SystemExit as stop:
                code = stop.code
    finally:
        sys.stdin = typed
    answers.write(json.dumps({"code": code or 0, "stdout": out.getvalue(), "stderr": err.getvalue()}) + "\n")
    answers.flush()
