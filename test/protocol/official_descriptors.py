"""Prints the file descriptors of the official Python packages as JSON: {file name: base64 of FileDescriptorProto}."""

import base64
import json

from isolate.connections.grpc.definitions import agent_pb2, common_pb2
from isolate.server.definitions import server_pb2
from isolate_proto import controller_pb2
from isolate_proto.health import health_pb2

print(
    json.dumps(
        {
            module.DESCRIPTOR.name: base64.b64encode(module.DESCRIPTOR.serialized_pb).decode()
            for module in (controller_pb2, common_pb2, server_pb2, agent_pb2, health_pb2)
        }
    )
)
