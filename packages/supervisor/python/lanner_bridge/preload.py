"""What a zygote does before it forks: imports, a rehearsal, the list of installed packages."""

import importlib
import sys
import threading

from . import installed_packages, rehearsal

# Where present. Nothing here may start a thread or open a connection by being imported.
_MODULES = (
    "cloudpickle", "tblib.pickling_support", "asyncio", "inspect", "logging.config", "traceback", "importlib.metadata",
    "typing_extensions", "pydantic", "starlette", "fastapi", "uvicorn", "starlette_exporter", "prometheus_client",
    "structlog", "packaging.requirements", "packaging.version", "tomli", "tomli_w", "httpx", "grpc", "grpc.aio", "msgpack", "websockets",
)  # fmt: skip


def preload():
    """Import and rehearse. An optional package that fails to import is the app's matter, not the zygote's."""
    for name in _MODULES:
        try:
            importlib.import_module(name)
        except Exception:
            pass
    problem = rehearse()
    if problem:
        sys.stderr.write(f"zygote: the rehearsal failed, first starts will be slower: {problem}\n")
    installed_packages.remember()
    if threading.active_count() > 1:
        sys.stderr.write(f"zygote: an import started threads: {[thread.name for thread in threading.enumerate()]}\n")


def rehearse():
    """Serve a throwaway app, where there is something to serve it with. Returns what went wrong, or None."""
    if "fastapi" in sys.modules and "uvicorn" in sys.modules:
        return rehearsal.rehearse()
    return None
