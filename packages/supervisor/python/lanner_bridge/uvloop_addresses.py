"""uvloop opens its sockets in C, past Python's socket class. Where the app imports it, its loop gets the rules of addresses.py."""

from .import_hooks import after_import


def install(own):
    """Patch uvloop now if it is imported already, else when it is."""
    after_import("uvloop", lambda uvloop: _patch(uvloop, own))


def _patch(uvloop, own):
    loop_class = getattr(uvloop, "Loop", None)
    if loop_class is None:
        return
    create_server, create_connection = loop_class.create_server, loop_class.create_connection

    async def create_server_here(self, protocol_factory, host=None, port=None, **options):
        if options.get("sock") is not None:
            return await create_server(self, protocol_factory, host, port, **options)
        hosts = [host] if host is None or isinstance(host, str) else list(host)
        moved = list(dict.fromkeys(own.for_bind(item or "", port or 0) or item for item in hosts))
        # Without a port a wildcard stays None here; it must not be left open to the network.
        moved = [own.address if item in (None, "", "0.0.0.0", "::") else item for item in moved]
        server = await create_server(self, protocol_factory, moved if len(moved) > 1 else moved[0], port, **options)
        for sock in server.sockets:
            name = sock.getsockname()
            if isinstance(name, tuple) and own.is_own(name[0]):
                own.note_listening(name[1])
        return server

    async def create_connection_here(self, protocol_factory, host=None, port=None, **options):
        if isinstance(host, str) and isinstance(port, int):
            host = own.for_connect(host, port) or host
        return await create_connection(self, protocol_factory, host, port, **options)

    loop_class.create_server = create_server_here
    loop_class.create_connection = create_connection_here
