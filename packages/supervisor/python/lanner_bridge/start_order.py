"""The `start` frame of a runner, checked and cut into its parts."""

import os
import posixpath
from dataclasses import dataclass


class StartError(Exception):
    """The supervisor's start frame cannot be followed; said in one sentence."""


@dataclass
class StartOrder:
    """Fields of `start` (bridge.md), in Python's spelling. `setup` and `function` are (method, definition) or None."""

    runner_id: str
    address: str
    hostname: str
    sandbox: str
    entrypoint: object
    setup: object
    function: object
    exposed_port: object
    metrics_port: object
    env: dict
    files: list
    data_dir: object
    data_mounts: list
    ca_bundle: object
    scratch_dir: object
    read_only_binds: list
    memory_mib: object


def parse_start(header, payload):
    """Read a start frame. `payload` is a bytes-like object; definitions are views of it, not copies."""
    call = header.get("callable") or {}
    setup = function = entrypoint = None
    if call.get("kind") == "serialized":
        setup, function = _definitions(call, memoryview(payload))
    elif call.get("kind") == "entrypoint":
        entrypoint = call.get("entrypoint")
    else:
        raise StartError(f"unknown kind of callable: {call.get('kind')!r}")
    return StartOrder(
        runner_id=header.get("runnerId", ""),
        address=header.get("address") or "127.0.0.1",
        hostname=header.get("hostname") or "runner",
        sandbox=header.get("sandbox", "namespaces"),
        entrypoint=entrypoint,
        setup=setup,
        function=function,
        exposed_port=header.get("exposedPort"),
        metrics_port=header.get("metricsPort"),
        env=header.get("env") or {},
        files=[_file(item) for item in header.get("files") or []],
        data_dir=header.get("dataDir"),
        data_mounts=[_data_mount(path) for path in header.get("dataMounts") or []],
        ca_bundle=header.get("caBundle"),
        scratch_dir=header.get("scratchDir"),
        read_only_binds=header.get("readOnlyBinds") or [],
        memory_mib=(header.get("limits") or {}).get("memoryMiB"),
    )


def _definitions(call, payload):
    setup = call.get("setup")
    setup_bytes = setup["definitionBytes"] if setup else 0
    function_bytes = call["definitionBytes"]
    if setup_bytes + function_bytes != len(payload):
        raise StartError(
            f"the definitions should have {setup_bytes} + {function_bytes} bytes, but {len(payload)} arrived"
        )
    function = (call["method"], payload[setup_bytes:])
    return ((setup["method"], payload[:setup_bytes]) if setup else None), function


def _file(item):
    path = item["relativePath"]
    if path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")) or "\0" in path:
        raise StartError(f"an app file needs a clean relative path, not {path!r}")
    return item["source"], path, item["mode"] & 0o777


def _data_mount(path):
    """'/data/.cache' → '.cache'; '/data' → ''."""
    normal = posixpath.normpath(path)
    if ".." in path.split("/") or not (normal == "/data" or normal.startswith("/data/")):
        raise StartError(f"a data mount must be /data or a folder below it, not {path!r}")
    return os.path.relpath(normal, "/data") if normal != "/data" else ""
