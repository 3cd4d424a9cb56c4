"""Changes to modules of the app's that are made when it imports them, if it ever does."""

import importlib.abc
import importlib.machinery
import sys


def after_import(name, patch):
    """Call `patch(module)` now if the module is imported already, else right after it was executed."""
    if name in sys.modules:
        patch(sys.modules[name])
    else:
        sys.meta_path.insert(0, _Finder(name, patch))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module as usual, but patches it after it has been executed. Removes itself then."""

    def __init__(self, name, patch):
        self._name = name
        self._patch = patch

    def find_spec(self, name, path=None, target=None):
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute, patch = spec.loader.exec_module, self._patch

            def exec_module(module):
                execute(module)
                patch(module)

            spec.loader.exec_module = exec_module
        return spec
