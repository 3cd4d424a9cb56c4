"""Pickles an app as the official client does; prints one JSON line for bench/cold-start.ts.

usage: python cold-start-definition.py FILE CLASS OUTPUT
"""

import importlib.util
import json
import sys

import cloudpickle
from fal.api.api import _prepare_partial_func
from fal.app import wrap_app

file, name, output = sys.argv[1:]
spec = importlib.util.spec_from_file_location("bench_app", file)
module = importlib.util.module_from_spec(spec)
sys.modules["bench_app"] = module
spec.loader.exec_module(module)
cloudpickle.register_pickle_by_value(module)
function = wrap_app(getattr(module, name))
definition = cloudpickle.dumps(_prepare_partial_func(function.raw_func))
with open(output, "wb") as target:
    target.write(definition)
environment = function.options.environment
print(json.dumps({
    "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
    "requirements": environment["requirements"],
    "resolver": environment.get("resolver"),
}))
