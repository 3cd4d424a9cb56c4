"""The app behind the queue: a plain server that costs as little as a Python one can, and tells when a request came."""

import fal


@fal.function(exposed_port=8080, keep_alive=600, min_concurrency=1, max_concurrency=1, max_multiplexing=16)
def noop():
    import asyncio
    import time

    class Connection(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport
            self.data = b""

        def data_received(self, data):
            at = time.time()
            self.data += data
            while True:
                end = self.data.find(b"\r\n\r\n")
                if end == -1:
                    return
                head = self.data[:end].lower()
                mark = head.find(b"content-length: ")
                length = int(head[mark + 16 :].split(b"\r\n", 1)[0]) if mark != -1 else 0
                if len(self.data) < end + 4 + length:
                    return
                self.data = self.data[end + 4 + length :]
                if b"/hold" in head.split(b"\r\n", 1)[0]:
                    return
                body = b'{"at": %.6f}' % at
                self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

    async def serve():
        server = await asyncio.get_running_loop().create_server(Connection, "0.0.0.0", 8080)
        await server.serve_forever()

    asyncio.run(serve())
