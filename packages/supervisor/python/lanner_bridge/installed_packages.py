"""The list of installed distributions, read once per zygote.

Apps of the official client read all of it when they start (25 packages: 15 ms, most of it parsing). An environment does not change
under a runner, so what the zygote read stays true; folders that a runner adds to its path are read as usual.
"""

import functools
import importlib.metadata
import sys

# Descriptions are part of the metadata; an environment of hundreds of packages would fill memory with them.
_MAX_CACHED_CHARACTERS = 4 << 20


class _ReadDistribution(importlib.metadata.PathDistribution):
    """A distribution whose metadata is parsed once."""

    metadata = functools.cached_property(importlib.metadata.PathDistribution.metadata.fget)


def remember():
    """Read the list now and answer `importlib.metadata.distributions()` from it."""
    original = importlib.metadata.distributions
    paths = tuple(sys.path)
    known = [_read(distribution) for distribution in original()]
    budget = _MAX_CACHED_CHARACTERS
    for distribution in known:
        if isinstance(distribution, _ReadDistribution) and budget > 0:
            payload = distribution.metadata.get_payload()
            budget -= len(payload) if isinstance(payload, str) else 0

    @functools.wraps(original)
    def distributions(**options):
        # Same search path, possibly with more at its end: the rest is looked up. Anything else is not our case.
        if options or tuple(sys.path[: len(paths)]) != paths:
            return original(**options)
        added = sys.path[len(paths) :]
        return iter([*known, *(original(path=added) if added else ())])

    importlib.metadata.distributions = distributions


def _read(distribution):
    if type(distribution) is not importlib.metadata.PathDistribution:
        return distribution
    return _ReadDistribution(distribution._path)
