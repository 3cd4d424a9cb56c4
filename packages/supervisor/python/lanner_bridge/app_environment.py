"""The environment variables of what runs in a runner: the app, and a session beside it."""

import os


def variables(wanted, hostname, home, temporary, prefix):
    """`wanted`: what the platform and the user's secrets say. `prefix`: of the environment's Python."""
    result = {
        "HOME": home,
        "USER": "lanner",
        "LANG": "C.UTF-8",
        "TMPDIR": temporary,
        "HOSTNAME": hostname,
        "VIRTUAL_ENV": prefix,
        **{str(name): str(value) for name, value in wanted.items()},
    }
    # Whatever the user's secrets say (a secret may have any name): isolate sets these, and programs of the environment come first.
    result["PATH"] = _search_path(result.get("PATH", ""), prefix)
    result["PYTHONUNBUFFERED"] = "1"
    result["IS_ISOLATE_AGENT"] = "1"
    return result


def _search_path(wanted, prefix):
    """The environment's programs, what the user wants, the system's; `python` and `sh` are found whatever that is."""
    folders = [os.path.join(prefix, "bin"), *wanted.split(os.pathsep), "/usr/local/bin", "/usr/bin", "/bin"]
    return os.pathsep.join(dict.fromkeys(filter(None, folders)))
