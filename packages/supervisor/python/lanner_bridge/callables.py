"""Finding the callable of a runner and calling it as fal's code expects: on the main thread, with no running event loop."""

import asyncio
import importlib
import inspect

from .serialization import loads


def call(order, on_loaded):
    """Load the setup function and the callable, run them, return the value. Whatever they raise is raised.

    `on_loaded` is called before any code of the user runs but that of its modules.
    """
    if order.entrypoint:
        on_loaded()
        return _finish(resolve_entrypoint(order.entrypoint)())
    arguments = ()
    if order.setup:
        setup = loads(*order.setup)
        _check_callable(setup, "setup")
        on_loaded()
        arguments = (_finish(setup()),)
    function = loads(*order.function)
    on_loaded()
    _check_callable(function, "function")
    # The definitions may be large, and the app may live for days.
    order.setup = order.function = None
    return _finish(function(*arguments, **port_keywords(function, order.exposed_port, order.metrics_port)))


def resolve_entrypoint(entrypoint):
    """`package.module:attribute.attribute` → the object. Raises ValueError for another form, else what the import raises."""
    module_name, separator, attributes = entrypoint.partition(":")
    if not (separator and module_name and attributes) or ":" in attributes:
        raise ValueError(f"Invalid entrypoint {entrypoint!r}: expected 'module:attr'.")
    found = importlib.import_module(module_name)
    for name in attributes.split("."):
        found = getattr(found, name)
    return found


def port_keywords(function, exposed_port, metrics_port):
    """Ports go only to callables that take them: a wrapped `fal.App`, or a function with `serve=True`. Others raise TypeError."""
    if not takes_ports(function):
        return {}
    keywords = {"exposed_port": exposed_port, "exposed_metrics_port": metrics_port}
    return {name: port for name, port in keywords.items() if port is not None}


def takes_ports(function):
    if getattr(function, "_fal_local_app", False) is True:
        return True
    # The SDK's class for `serve=True` travels by value, so only its name and shape are known here.
    served = type(getattr(function, "__wrapped__", None))
    return served.__name__ == "ServeWrapper" and hasattr(served, "collect_routes")


def _check_callable(value, kind):
    if not callable(value):
        raise TypeError(f"The {kind} function must be callable, not {type(value).__name__}.")


def _finish(value):
    """Run a coroutine to its end, as `asyncio.run` does; other values are what they are.

    `asyncio.iscoroutine` will not do: before Python 3.12 it takes a generator for one.
    """
    if inspect.iscoroutine(value):
        return asyncio.run(value)
    if inspect.isawaitable(value):
        return asyncio.run(_await(value))
    return value


async def _await(value):
    return await value
