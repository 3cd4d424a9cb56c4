"""Leads official code in a runner to this platform, where it knows no variable for it. What the runner's environment says:

| variable | what for |
|---|---|
| LANNER_FILE_URLS | what the URLs of this platform's files begin with, separated by spaces |
| LANNER_KV_URL | the key-value host; `fal.toolkit.kv` has a constant |
| FAL_REST_HOST, FAL_CDN_V3_HOST, FAL_RUN_HOST … | for modules that read them when they are imported, or not at all |

The client ships `fal` by value: what it reads from its variables at import is then what the *deployer's* variables were, which need not
hold here (`lanner exec`, other ports). So the same changes are made in modules that are imported and in functions that are recreated.

The toolkit downloads from public addresses alone, so that no caller can make an app read what lies inside the network. A platform on
one machine has no public address: its own files, and nothing else of it, are let through. Whatever they redirect to is not.
"""

from urllib.parse import urlsplit

from .import_hooks import after_import

_USUAL_PORTS = {"https": 443, "http": 80}
_GUARD = "fal.toolkit.utils.ssrf"


def install(environment):
    """In the app process, before its code is loaded."""
    constants = _constants(environment)
    prefixes = [prefix for prefix in map(_place, environment.get("LANNER_FILE_URLS", "").split()) if prefix]

    def change(name, namespace):
        for constant, value in constants.get(name, {}).items():
            if isinstance(namespace.get(constant), str):
                namespace[constant] = value
        if name == _GUARD and prefixes:
            _let_through(namespace, prefixes)

    names = {*constants, _GUARD}
    for name in names:
        after_import(name, lambda module, name=name: change(name, vars(module)))
    after_import("cloudpickle.cloudpickle", lambda module: _change_recreated(module, names, change))


def _constants(environment):
    """By module and name; of a host that the environment does not tell, none."""
    rest, files, key_values = (environment.get(name) for name in ("FAL_REST_HOST", "FAL_CDN_V3_HOST", "LANNER_KV_URL"))
    run, queue, ws = (environment.get(name) for name in ("FAL_RUN_HOST", "FAL_QUEUE_RUN_HOST", "FAL_WS_RUN_HOST"))
    found = {
        "fal.toolkit.kv": {"FAL_KV_HOST": key_values},
        "fal.toolkit.file.providers.fal": {"REST_HOST": rest, "_FAL_CDN_V3": files},
        "fal_client.client": {"REST_URL": rest and f"https://{rest}", "CDN_URL": files},
        "fal.apps": {
            "_STREAM_URL_FORMAT": run and f"https://{run}/{{app_id}}",
            "_QUEUE_URL_FORMAT": queue and f"https://{queue}/{{app_id}}",
            "_REALTIME_URL_FORMAT": run and f"wss://{run}/{{app_id}}",
            "_WS_URL_FORMAT": ws and f"wss://{ws}/{{app_id}}",
        },
    }
    return {module: {name: value for name, value in values.items() if value} for module, values in found.items()}


def _change_recreated(pickling, names, change):
    """`pickling`: cloudpickle. Functions of one module share their globals, which fill up as they are recreated."""
    set_state = getattr(pickling, "_function_setstate", None)
    if set_state is None:
        return

    def set_state_and_change(function, state):
        set_state(function, state)
        name = function.__globals__.get("__name__")
        if name in names:
            change(name, function.__globals__)

    # It is pickled by its name.
    set_state_and_change.__module__ = set_state.__module__
    set_state_and_change.__name__ = set_state_and_change.__qualname__ = set_state.__qualname__
    pickling._function_setstate = set_state_and_change


def _let_through(namespace, prefixes):
    """`namespace`: of the module that downloads. One that is built otherwise than known is left as it is."""
    guarded = namespace.get("_request_resolved_url")
    if guarded is None or hasattr(guarded, "lanner_prefixes"):
        return

    def request_resolved_url(parsed, **options):
        request, failure = namespace.get("_request_one_hop"), namespace.get("SSRFConnectionError")
        if request is None or failure is None or not is_own_file(parsed, prefixes):
            return guarded(parsed, **options)
        try:
            return request(parsed, target_ip=None, **options)
        except OSError as error:
            raise failure(f"the file host of this platform cannot be reached: {error}") from error

    request_resolved_url.lanner_prefixes = prefixes
    namespace["_request_resolved_url"] = request_resolved_url


def is_own_file(parsed, prefixes):
    """Whether a split URL is a file of this platform: scheme, host, port and path as one of the prefixes has them."""
    origin = _origin(parsed)
    if origin is None or "@" in parsed.netloc or ".." in parsed.path.split("/"):
        return False
    return any(origin == known and parsed.path.startswith(path) for known, path in prefixes)


def _place(url):
    parsed = urlsplit(url)
    origin = _origin(parsed)
    return (origin, parsed.path) if origin and parsed.path.endswith("/") else None


def _origin(parsed):
    usual = _USUAL_PORTS.get(parsed.scheme)
    try:
        port = parsed.port or usual
    except ValueError:
        return None
    return (parsed.scheme, parsed.hostname, port) if usual and parsed.hostname else None
