"""Pickling as the official client expects it, without its packages.

A callable that cannot be loaded is a *raised result* of the class `isolate.connections.common.SerializationError`, which the client
has and a runner usually has not. So the class is made here under that name and pickled by reference.
"""

import importlib
import io
import pickle
import sys
import types

_MODULE = "isolate.connections.common"



class SerializationError(Exception):
    """Named and shaped like isolate's: one attribute, `message`, and the reason as `__cause__`."""

    def __init__(self, message):
        super().__init__(message)
        self.message = message

    def __reduce__(self):
        # Exceptions set their state attribute by attribute, so the cause survives plain pickle.
        return type(self), (self.message,), {"__cause__": _picklable(self.__cause__)}


SerializationError.__module__ = _MODULE
SerializationError.__qualname__ = "SerializationError"


def backend(method):
    """The module called `method` with its `loads` and `dumps`. Raises SerializationError."""
    try:
        module = importlib.import_module(method)
        if not (hasattr(module, "loads") and hasattr(module, "dumps")):
            raise TypeError(f"the module {method} has no loads and dumps")
    except BaseException as error:
        raise SerializationError(f"Error while preparing the serialization backend ({method})") from error
    return module


def loads(method, definition):
    """Load a definition. Raises SerializationError with the reason as its cause."""
    module = backend(method)
    try:
        return module.loads(definition)
    except BaseException as error:
        raise SerializationError("Error while deserializing the given object") from error


def dumps(method, value):
    """Pickle a result; what goes wrong is raised as it is."""
    if isinstance(value, SerializationError):
        return _dumps_by_reference(value)
    return backend(method).dumps(value)


def _dumps_by_reference(error):
    """Pickle with stand-ins for isolate's modules in place, so that the class is found under its name."""
    names = ("isolate", "isolate.connections", _MODULE)
    saved = {name: sys.modules.get(name) for name in names}
    for name in names:
        sys.modules[name] = types.ModuleType(name)
    sys.modules[_MODULE].SerializationError = SerializationError
    try:
        buffer = io.BytesIO()
        pickler = pickle.Pickler(buffer)
        pickler.dispatch_table = {}  # whatever reducers the app has registered stay out of it
        pickler.dump(error)
        return buffer.getvalue()
    finally:
        for name, module in saved.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _picklable(cause):
    """The cause without its traceback, or something that says the same, if only builtin exceptions can be read by the client."""
    if cause is None:
        return None
    if type(cause).__module__ == "builtins":
        try:
            pickle.dumps(cause)
            return cause
        except Exception:
            pass
    return RuntimeError(f"{type(cause).__name__}: {cause}")
