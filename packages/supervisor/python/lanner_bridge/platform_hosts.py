"""Leads official code in a runner to this platform, where it knows no variable for it. What the runner's environment says:

| variable | what for |
|---|---|
| LANNER_FILE_URLS | what the URLs of this platform's files begin with, separated by spaces |
| LANNER_KV_URL | the key-value host; `fal.toolkit.kv` has a constant |
| FAL_REST_HOST, FAL_CDN_V3_HOST | where `fal_client` uploads to; it has constants too |

The toolkit downloads from public addresses alone, so that no caller can make an app read what lies inside the network. A platform on
one machine has no public address: its own files, and nothing else of it, are let through. Whatever they redirect to is not.
"""

from urllib.parse import urlsplit

from .import_hooks import after_import

_USUAL_PORTS = {"https": 443, "http": 80}


def install(environment):
    """In the app process, before its code runs."""
    prefixes = [prefix for prefix in map(_place, environment.get("LANNER_FILE_URLS", "").split()) if prefix]
    if prefixes:
        after_import("fal.toolkit.utils.ssrf", lambda module: _let_through(module, prefixes))
    key_values = environment.get("LANNER_KV_URL")
    if key_values:
        after_import("fal.toolkit.kv", lambda module: _replace(module, {"FAL_KV_HOST": key_values}))
    rest_host, file_host = environment.get("FAL_REST_HOST"), environment.get("FAL_CDN_V3_HOST")
    if rest_host and file_host:
        constants = {"REST_URL": f"https://{rest_host}", "CDN_URL": file_host}
        after_import("fal_client.client", lambda module: _replace(module, constants))


def _replace(module, constants):
    for name, value in constants.items():
        if isinstance(getattr(module, name, None), str):
            setattr(module, name, value)


def _let_through(guard, prefixes):
    """`guard`: the module that downloads. One that is built otherwise than known is left as it is."""
    guarded = getattr(guard, "_request_resolved_url", None)
    request = getattr(guard, "_request_one_hop", None)
    failure = getattr(guard, "SSRFConnectionError", None)
    if guarded is None or request is None or failure is None:
        return

    def request_resolved_url(parsed, **options):
        if not is_own_file(parsed, prefixes):
            return guarded(parsed, **options)
        try:
            return request(parsed, target_ip=None, **options)
        except OSError as error:
            raise failure(f"the file host of this platform cannot be reached: {error}") from error

    guard._request_resolved_url = request_resolved_url


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
