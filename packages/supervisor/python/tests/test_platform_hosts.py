import os
import sys
import types
import unittest
from unittest import mock
from urllib.parse import urlsplit

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lanner_bridge import platform_hosts

ENVIRONMENT = {
    "LANNER_FILE_URLS": "https://localhost:8443/cdn/files/ http://127.0.0.1:8080/cdn/files/ https://cdn.l.example/files/",
    "LANNER_KV_URL": "https://localhost:8443/kv",
    "FAL_REST_HOST": "localhost:8443",
    "FAL_CDN_V3_HOST": "https://localhost:8443/cdn",
}


class SSRFConnectionError(Exception):
    pass


def guard():
    """Shaped like the official module that downloads."""
    module = types.ModuleType("fal.toolkit.utils.ssrf")
    module.SSRFConnectionError = SSRFConnectionError
    module._request_resolved_url = lambda parsed, **options: ("guarded", options)
    module._request_one_hop = lambda parsed, *, target_ip, **options: ("direct", options, target_ip)
    return module


class PlatformHostsCase(unittest.TestCase):
    def installed(self, name, module, environment=None):
        finders = list(sys.meta_path)
        try:
            with mock.patch.dict(sys.modules, {name: module}):
                platform_hosts.install(ENVIRONMENT if environment is None else environment)
        finally:
            sys.meta_path[:] = finders
        return module

    def test_own_files_are_fetched_and_everything_else_stays_guarded(self):
        module = self.installed("fal.toolkit.utils.ssrf", guard())
        for url in (
            "https://localhost:8443/cdn/files/b/x/a.png",
            "https://LOCALHOST:8443/cdn/files/b/x/a.png?identity=1",
            "http://127.0.0.1:8080/cdn/files/b/x",
            "https://cdn.l.example/files/b/x",
            "https://cdn.l.example:443/files/b/x",
        ):
            self.assertEqual(module._request_resolved_url(urlsplit(url), timeout=3), ("direct", {"timeout": 3}, None), url)
        for url in (
            "https://localhost:8443/users/current",
            "https://localhost:8443/cdn/uploads/x",
            "https://localhost:8443/cdn/files",
            "https://localhost:8443/cdn/files/../../users/current",
            "http://localhost:8443/cdn/files/b/x",
            "https://localhost:9000/cdn/files/b/x",
            "https://127.0.0.1:8443/cdn/files/b/x",
            "https://localhost:8443@169.254.169.254/cdn/files/b/x",
            "https://me@localhost:8443/cdn/files/b/x",
            "https://localhost.evil.example:8443/cdn/files/b/x",
            "https://localhost:99999/cdn/files/b/x",
            "ftp://localhost:8443/cdn/files/b/x",
            "https:///cdn/files/b/x",
        ):
            self.assertEqual(module._request_resolved_url(urlsplit(url), timeout=3)[0], "guarded", url)

    def test_a_file_host_that_does_not_answer_is_told_as_the_guard_tells_it(self):
        module = guard()

        def refuse(parsed, **options):
            raise ConnectionRefusedError("no")

        module._request_one_hop = refuse
        self.installed("fal.toolkit.utils.ssrf", module)
        with self.assertRaises(SSRFConnectionError):
            module._request_resolved_url(urlsplit("https://cdn.l.example/files/b/x"))

    def test_a_guard_of_another_make_and_a_platform_that_says_nothing_change_nothing(self):
        other = types.ModuleType("fal.toolkit.utils.ssrf")
        self.installed("fal.toolkit.utils.ssrf", other)
        self.assertFalse(hasattr(other, "_request_resolved_url"))
        module = guard()
        before = module._request_resolved_url
        self.installed("fal.toolkit.utils.ssrf", module, {})
        self.installed("fal.toolkit.utils.ssrf", module, {"LANNER_FILE_URLS": "https://localhost:8443 nonsense"})
        self.assertIs(module._request_resolved_url, before)

    def test_constants_of_official_modules_lead_here(self):
        kv = types.ModuleType("fal.toolkit.kv")
        kv.FAL_KV_HOST = "https://kv.fal.media"
        self.assertEqual(self.installed("fal.toolkit.kv", kv).FAL_KV_HOST, "https://localhost:8443/kv")
        client = types.ModuleType("fal_client.client")
        client.REST_URL, client.CDN_URL = "https://rest.fal.ai", "https://v3.fal.media"
        self.installed("fal_client.client", client)
        self.assertEqual((client.REST_URL, client.CDN_URL), ("https://localhost:8443", "https://localhost:8443/cdn"))

    def test_functions_that_are_recreated_get_the_same_changes(self):
        # Enough of cloudpickle: state is set function by function, and functions of one module share their globals.
        pickling = types.ModuleType("cloudpickle.cloudpickle")

        def _function_setstate(function, state):
            function.__globals__.update(state)

        pickling._function_setstate = _function_setstate
        self.installed("cloudpickle.cloudpickle", pickling)
        self.assertEqual(pickling._function_setstate.__qualname__, _function_setstate.__qualname__)

        def recreate(name, *states):
            shared = {"__name__": name}
            for state in states:
                pickling._function_setstate(types.FunctionType((lambda: 0).__code__, shared), state)
            return shared

        original = vars(guard())
        parts = [{key: original[key]} for key in ("_request_resolved_url", "_request_one_hop", "SSRFConnectionError")]
        namespace = recreate("fal.toolkit.utils.ssrf", *parts, parts[0])
        request = namespace["_request_resolved_url"]
        self.assertEqual(request(urlsplit("https://localhost:8443/cdn/files/b/x"))[0], "direct")
        self.assertEqual(request(urlsplit("https://localhost:8443/users/current"))[0], "guarded")
        provider = recreate("fal.toolkit.file.providers.fal", {"REST_HOST": "rest.alpha.fal.ai", "other": 1})
        self.assertEqual((provider["REST_HOST"], provider["other"]), ("localhost:8443", 1))
        self.assertEqual(recreate("mine", {"REST_HOST": "x"})["REST_HOST"], "x")


if __name__ == "__main__":
    unittest.main()
