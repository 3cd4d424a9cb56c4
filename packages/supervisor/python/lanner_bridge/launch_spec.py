"""The launcher's spec: one JSON object, checked before anything happens."""

import json
import os
from dataclasses import dataclass, field


class SpecError(Exception):
    """The spec is not what README.md says."""


@dataclass
class Bind:
    source: str
    target: str
    read_only: bool
    optional: bool
    follow_links: bool


@dataclass
class LaunchSpec:
    """See the table in README.md; names are those of the JSON, in Python's spelling."""

    argv: list
    env: dict
    cwd: str = "/"
    sandbox: str = "namespaces"
    uid: int = 0
    gid: int = 0
    interpreters: list = field(default_factory=list)
    interpreter_links: list = field(default_factory=list)
    binds: list = field(default_factory=list)
    hostname: str = "sandbox"
    network: bool = True
    keep_capabilities: bool = False
    wait_for_all: bool = False
    pass_control: bool = False
    limits: dict = field(default_factory=dict)
    address: str = ""
    address_key: str = ""


def parse_spec(text):
    """Read a spec from its JSON text. Raises SpecError with the field and what was seen."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise SpecError(f"the spec is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise SpecError(f"the spec is not an object but {type(raw).__name__}")
    uid = _number(raw, "uid", os.getuid())
    spec = LaunchSpec(
        argv=_strings(raw, "argv"),
        env=_string_map(raw, "env"),
        cwd=_typed(raw, "cwd", str, "/"),
        sandbox=_typed(raw, "sandbox", str, "namespaces"),
        uid=uid,
        gid=_number(raw, "gid", uid if "uid" in raw else os.getgid()),
        interpreters=_strings(raw, "interpreters", []),
        interpreter_links=_strings(raw, "interpreterLinks", []),
        binds=[_bind(item) for item in _typed(raw, "binds", list, [])],
        hostname=_typed(raw, "hostname", str, "sandbox"),
        network=_typed(raw, "network", bool, True),
        keep_capabilities=_typed(raw, "keepCapabilities", bool, False),
        wait_for_all=_typed(raw, "waitForAll", bool, False),
        pass_control=_typed(raw, "passControl", bool, False),
        limits=_typed(raw, "limits", dict, {}),
        address=_typed(raw, "address", str, ""),
        address_key=_typed(raw, "addressKey", str, ""),
    )
    if not spec.argv or not os.path.isabs(spec.argv[0]):
        raise SpecError(f"argv[0] must be an absolute path, not {spec.argv[:1]}")
    if spec.sandbox not in ("namespaces", "process-group"):
        raise SpecError(f"sandbox must be namespaces or process-group, not {spec.sandbox!r}")
    if spec.address_key and not spec.address:
        raise SpecError("addressKey needs an address")
    if uid != os.getuid() and os.geteuid() != 0:
        raise SpecError(f"only root may run a program as uid {uid}")
    return spec


def _typed(raw, name, kind, default):
    value = raw.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise SpecError(f"{name} must be {kind.__name__}, not {type(value).__name__}")
    return value


def _number(raw, name, default):
    value = raw.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise SpecError(f"{name} must be a number from 0, not {value!r}")
    return value


def _strings(raw, name, default=None):
    value = raw.get(name, default)
    if not isinstance(value, list) or not all(isinstance(item, str) and "\0" not in item for item in value):
        raise SpecError(f"{name} must be a list of strings without NUL")
    return value


def _string_map(raw, name):
    value = _typed(raw, name, dict, {})
    if not all(isinstance(item, str) and "\0" not in key + item and "=" not in key for key, item in value.items()):
        raise SpecError(f"{name} must map variable names to strings without NUL")  # values may be secret: not shown
    return value


def _bind(item):
    if not isinstance(item, dict) or not isinstance(item.get("source"), str) or not os.path.isabs(item["source"]):
        raise SpecError(f"a bind needs an absolute source, not {item!r}")
    target = _typed(item, "target", str, item["source"])
    if not os.path.isabs(target) or os.path.normpath(target) == "/":
        raise SpecError(f"a bind needs an absolute target below the root, not {target!r}")
    return Bind(
        source=item["source"],
        target=target,
        read_only=_typed(item, "readOnly", bool, True),
        optional=_typed(item, "optional", bool, False),
        follow_links=_typed(item, "followLinks", bool, True),
    )
