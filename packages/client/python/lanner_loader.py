"""Loads an app with the project's own ``fal`` and lets it deploy or run the app over its parent's connection.

Started by the TypeScript client (``deploy/python-loader.ts``), which sends what is wanted as the first frame. ``fal`` does
everything it always does: finds the object, reads pyproject.toml, builds the messages, pickles the code. Only the gRPC
channel under it is replaced: each call goes to the parent as a frame on standard output, and the answers come back on
standard input. Nothing of ``fal`` is patched, because its modules travel inside the pickle.

A frame is two big-endian 32-bit lengths, a JSON header and a payload (a protobuf message). What user code prints goes to
standard error.
"""

import contextlib
import functools
import json
import os
import signal
import struct
import sys
import threading
import traceback

_out = os.fdopen(os.dup(1), "wb", buffering=0)
_in = os.fdopen(os.dup(0), "rb")
os.dup2(2, 1)
_null = os.open(os.devnull, os.O_RDONLY)
os.dup2(_null, 0)
os.close(_null)

_write_lock = threading.Lock()


def send(header, payload=b""):
    text = json.dumps(header).encode()
    frame = struct.pack(">II", len(text), len(payload)) + text + payload
    with _write_lock:
        view = memoryview(frame)
        while view:
            view = view[_out.write(view) :]


def receive():
    lengths = _in.read(8)
    if len(lengths) < 8:
        # The parent is gone: nobody waits for what we do.
        os._exit(1)
    header_length, payload_length = struct.unpack(">II", lengths)
    return json.loads(_in.read(header_length)), _in.read(payload_length)


def main():
    # Ctrl-C reaches every process of a terminal; the parent decides what it means, and ends this one. Not ignored, because
    # programs started from here would ignore it too.
    signal.signal(signal.SIGINT, lambda *_: None)
    # Not an argument of the process: those are seen by everybody on the machine, and short.
    request, _ = receive()
    sys.argv = ["fal"]
    # The folder of this file is nothing the app should import from.
    sys.path.pop(0)
    try:
        from importlib.metadata import version

        import fal.api
        import grpc
    except ImportError as error:
        send({"type": "error", "code": "python_preparation_failed", "message": f"fal cannot be imported: {error}"})
        return
    send({"type": "ready", "python": ".".join(map(str, sys.version_info[:3])), "fal": version("fal")})

    class LoaderError(grpc.RpcError, grpc.Call):
        """What the parent's call failed with; the parent knows the whole of it."""

        def __init__(self, code, details):
            super().__init__()
            self._code = code
            self._details = details

        def code(self):
            return self._code

        def details(self):
            return self._details

        def debug_error_string(self):
            return self._details

        def initial_metadata(self):
            return ()

        def trailing_metadata(self):
            return ()

        def is_active(self):
            return False

        def time_remaining(self):
            return None

        def cancel(self):
            return False

        def add_callback(self, callback):
            return False

        def __str__(self):
            return f"{self._code}: {self._details}"

    codes = {code.value[0]: code for code in grpc.StatusCode}

    class Answers:
        """The stream of one call. One call at a time: that is how fal deploys, so a new one ends the one before."""

        current = None

        def __init__(self, method, payload, decode):
            if Answers.current is not None:
                Answers.current.cancel()
            self._decode = decode
            self._open = True
            Answers.current = self
            send({"type": "call", "method": method}, payload)

        def __iter__(self):
            return self

        def __next__(self):
            if not self._open:
                raise StopIteration
            header, payload = receive()
            if header["type"] == "message":
                return self._decode(payload)
            self._close()
            if header["type"] == "failed":
                raise LoaderError(codes.get(header["code"], grpc.StatusCode.UNKNOWN), header["details"])
            raise StopIteration

        def _close(self):
            self._open = False
            Answers.current = None

        def cancel(self):
            if not self._open:
                return False
            send({"type": "hangup"})
            while receive()[0]["type"] == "message":
                pass
            self._close()
            return True

    class Channel(grpc.Channel):
        def __enter__(self):
            return self

        def __exit__(self, *exc_info):
            return False

        def close(self):
            pass

        def subscribe(self, callback, try_to_connect=False):
            pass

        def unsubscribe(self, callback):
            pass

        def unary_stream(self, method, request_serializer=None, response_deserializer=None, *args, **kwargs):
            def call(request, *args, **kwargs):
                return Answers(method, request_serializer(request), response_deserializer)

            return call

        def unary_unary(self, method, request_serializer=None, response_deserializer=None, *args, **kwargs):
            def run(request):
                answers = Answers(method, request_serializer(request), response_deserializer)
                message = next(answers, None)
                for _ in answers:
                    pass
                return message

            def call(request, *args, **kwargs):
                return run(request)

            def with_call(request, *args, **kwargs):
                return run(request), None

            call.with_call = with_call
            return call

        def stream_unary(self, method, *args, **kwargs):
            return unsupported

        def stream_stream(self, method, *args, **kwargs):
            return unsupported

    def unsupported(*args, **kwargs):
        raise NotImplementedError("calls with a stream of requests are not carried")

    # The interceptor of fal adds trace headers only; it would wrap our answers in objects of grpc's own.
    grpc.secure_channel = lambda *args, **kwargs: Channel()
    grpc.intercept_channel = lambda channel, *interceptors: channel

    try:
        result = deploy(request) if request["action"] == "deploy" else run_function(request)
        if Answers.current is not None:
            Answers.current.cancel()
        send({"type": "result", "value": result})
    except SystemExit as error:
        send({"type": "error", "code": "app_load_failed", "message": f"The app file ended Python with sys.exit({error.code})."})
    except BaseException as error:  # noqa: BLE001 -- everything is told to the parent
        rpc = any(isinstance(each, grpc.RpcError) for each in chain(error))
        send({**describe(error, request), "type": "error", "rpc": rpc})


def prepare(request):
    """The official way from a reference to a loaded app, with its files known before they are needed."""
    from fal.api import SyncServerlessClient
    from fal.api.deploy import prepare_deployment

    client = SyncServerlessClient(host=request["host"], team=request.get("team"))
    with limited_requests(request.get("limitMaxRequests")):
        prepared = prepare_deployment(
            client,
            tuple(request["ref"]) if isinstance(request["ref"], list) else request["ref"],
            environment_name=request.get("environmentName"),
            **request["options"],
        )
    announce_plan(prepared)
    return prepared


@contextlib.contextmanager
def limited_requests(most):
    """The option exists for runs only, below the function that finds the app; it is back to normal before anything is pickled."""
    if most is None:
        yield
        return
    import fal.utils

    original = fal.utils.load_function_from
    fal.utils.load_function_from = functools.partial(original, limit_max_requests=most)
    try:
        yield
    finally:
        fal.utils.load_function_from = original


SCALE_OPTIONS = (
    "machine_type",
    "keep_alive",
    "max_concurrency",
    "min_concurrency",
    "concurrency_buffer",
    "concurrency_buffer_perc",
    "scaling_delay",
    "max_multiplexing",
    "request_timeout",
    "request_start_timeout",
    "startup_timeout",
    "regions",
)


def announce_plan(prepared):
    """Tells what is about to happen, and waits: nothing was sent yet, and the parent may still say no."""
    loaded, app = prepared.loaded, prepared.app_data
    options = loaded.function.options.host
    scale = {name: options[name] for name in SCALE_OPTIONS if options.get(name) is not None}
    send(
        {
            "type": "loaded",
            "appName": loaded.app_name,
            "className": loaded.class_name,
            "displayName": prepared.display_name,
            "auth": loaded.app_auth,
            "strategy": app.deployment_strategy or "rolling",
            "resetScale": bool(app.reset_scale),
            "attach": app.attach_to_deployment,
            "scale": json.loads(json.dumps(scale, default=str)),
        }
    )
    header, _ = receive()
    if header["type"] != "go":
        os._exit(1)


def announce_files(prepared):
    """Lets the parent upload the files; what fal asks for afterwards is there already."""
    import re

    from fal.file_sync import FileSync, FileSyncOptions

    host = prepared.host
    options = FileSyncOptions.from_options(prepared.loaded.function.options)
    if not options.files_list:
        return
    if host.local_file_path:
        base = os.path.realpath(options.files_context_dir or ".")
        own = os.path.relpath(os.path.realpath(host.local_file_path), base)
        if not own.startswith(".."):
            options.files_ignore.append(re.compile(f"^{re.escape(own)}$"))
    sync = FileSync(host.local_file_path, credentials=host.credentials)
    files = sync.collect_files(options.files_list, options.files_context_dir, options.files_ignore)
    unique = {each.hash: each for each in files}
    send(
        {
            "type": "files",
            "files": [
                {"path": each.absolute_path, "relativePath": each.relative_path, **each.to_dict()}
                for each in unique.values()
            ],
        }
    )
    header, _ = receive()
    if header["type"] != "uploaded":
        os._exit(1)


def deploy(request):
    from fal.api.api import ResultHandler
    from fal.api.deploy import execute_prepared_deployment

    prepared = prepare(request)
    announce_files(prepared)
    result = execute_prepared_deployment(
        prepared,
        result_handler=ResultHandler(),
        build_result_handler=ResultHandler(),
        prepare_options_handler=announce_packaging,
    )
    return {
        "revision": result.revision,
        "appName": result.app_name,
        "urls": result.urls,
        "logUrl": result.log_url,
        "authMode": result.auth_mode,
    }


def run_function(request):
    from dataclasses import replace

    from fal.api.api import ResultHandler
    from fal.api.run import run

    prepared = prepare(request)
    function = prepared.loaded.function
    if request.get("auth"):
        function.app_auth = request["auth"]
    if request.get("appName"):
        function.app_name = request["appName"]
    if request.get("machineType"):
        function.options.host["machine_type"] = request["machineType"]
    if request.get("forwardCompat"):
        chosen = function.options.host.get("_scheduler_options") or {}
        function.options.host["_scheduler_options"] = {**chosen, "forward_compat": True}
    if request.get("local"):
        return {"value": json_value(run_here(function, request))}
    announce_files(prepared)
    options = prepared.host.prepare_options(function.options, func=function.func, on_progress=announce_packaging)
    function = replace(function, options=options)
    prepared.host.build_environment(
        function.options,
        application_name=function.app_name,
        environment_name=request.get("environmentName"),
        result_handler=ResultHandler(),
    )
    function.fetch_metadata(build_environment=False)
    send({"type": "endpoints", "endpoints": list(function.endpoints or ["/"])})
    value = run(
        function,
        args=tuple(request.get("args") or ()),
        kwargs=request.get("kwargs") or {},
        result_handler=ResultHandler(),
        build_environment=False,
    )
    return {"value": json_value(value)}


def run_here(function, request):
    """In this process, without a platform; ports are those of the server an app brings."""
    from fal.api.run import run

    ports = {name: request[name] for name in ("exposed_port", "exposed_metrics_port") if request.get(name) is not None}
    return run(function, args=tuple(request.get("args") or ()), kwargs=request.get("kwargs") or {}, local=True, **ports)


def announce_packaging(event, payload):
    """A local project is packed into an sdist and uploaded; paths and sizes are told by name."""
    path = payload.get("sdist_path")
    send(
        {
            "type": "packaging",
            "event": event,
            "packageName": payload.get("package_name"),
            "fileName": path.name if path is not None else None,
            "bytes": payload.get("sdist_size"),
        }
    )


def json_value(value):
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise NotJson(f"{type(value).__module__}.{type(value).__qualname__}: {error}") from None
    return value


class NotJson(Exception):
    """The result of a function is no JSON value."""


def chain(error):
    seen = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    return seen


def describe(error, request):
    """An error as code, sentence and facts. Decided by classes and frames, never by texts."""
    if isinstance(error, NotJson):
        return {"code": "result_not_json", "message": str(error)}
    if isinstance(error, SyntaxError):
        return {
            "code": "python_syntax_error",
            "message": f"{type(error).__name__}: {error.msg}",
            "file": error.filename,
            "line": error.lineno,
            "column": error.offset,
            "text": (error.text or "").rstrip("\n"),
        }
    frames = list(traceback.walk_tb(error.__traceback__))
    if any(frame.f_code.co_name == "get_app_data_from_toml" for frame, _ in frames):
        return {"code": "pyproject_invalid", "message": str(error)}
    finder = next((frame for frame, _ in frames if frame.f_code.co_name == "_find_target"), None)
    if finder is not None:
        return describe_search(finder.f_locals)
    loader = [index for index, (frame, _) in enumerate(frames) if frame.f_code.co_name == "_run_code"]
    if loader:
        return describe_load(error, frames[loader[0] + 1 :])
    module = type(error).__module__
    inside_fal = module.startswith(("fal.", "isolate", "grpc"))
    is_value = isinstance(error, (ValueError, AssertionError)) and frames and is_fal(frames[-1][0])
    if request["action"] == "run" and not inside_fal and not is_value:
        text = own_traceback(error)
        return {"code": "function_raised", "message": f"{type(error).__name__}: {error}", "exception": type(error).__name__, "traceback": text}
    return {"code": "", "kind": type(error).__name__, "message": str(error) or type(error).__name__}


def own_traceback(error):
    """The traceback of user code: frames of what called it, here and in fal, say nothing to its author."""
    frames = list(traceback.walk_tb(error.__traceback__))
    inside = [index for index, (frame, _) in enumerate(frames) if is_fal(frame) or is_machinery(frame)]
    own = frames[inside[-1] + 1 :] if inside else frames
    lines = traceback.format_list(traceback.StackSummary.extract(iter(own or frames)))
    return "".join(["Traceback (most recent call last):\n", *lines, *traceback.format_exception_only(type(error), error)])


def is_machinery(frame):
    name = frame.f_globals.get("__name__") or ""
    return frame.f_globals is globals() or name.split(".")[0] in ("isolate", "isolate_proto", "grpc")


def is_fal(frame):
    return (frame.f_globals.get("__name__") or "").split(".")[0] == "fal"


def describe_search(names):
    """fal looked for the app in the module and did not find exactly one."""
    import fal
    from fal.api import IsolatedFunction

    module = names.get("module") or {}
    apps = [key for key, value in module.items() if isinstance(value, type) and issubclass(value, fal.App) and value is not fal.App]
    functions = [key for key, value in module.items() if isinstance(value, IsolatedFunction)]
    wanted = names.get("function_name")
    candidates = apps + functions
    if wanted is not None:
        what = "is not an app or function" if wanted in module else "is not there"
        return {"code": "app_not_in_file", "message": f'"{wanted}" {what}', "candidates": candidates}
    if candidates:
        return {"code": "several_apps", "message": "several apps", "candidates": apps or functions}
    return {"code": "app_not_in_file", "message": "no app or function", "candidates": []}


def describe_load(error, frames):
    """User code failed while its file was executed."""
    lines = traceback.format_list(traceback.StackSummary.extract(iter(frames)))
    text = "".join(["Traceback (most recent call last):\n", *lines, *traceback.format_exception_only(type(error), error)])
    facts = {"message": f"{type(error).__name__}: {error}", "traceback": text, "line": frames[0][1] if frames else None}
    if isinstance(error, ModuleNotFoundError):
        return {"code": "python_module_missing", "module": error.name, **facts}
    return {"code": "app_load_failed", **facts}


if __name__ == "__main__":
    main()
