"""A client that knows nothing of strongroom but its address: everything comes by reflection."""

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


class Refused(Exception):
    """A status with its ErrorInfo."""

    def __init__(self, error):
        super().__init__(f"{error.code().name}: {error.details()}")
        self.code = error.code()
        self.message = error.details()
        self.metadata = dict(error.trailing_metadata() or ())
        self.reason = self.domain = None
        self.info = {}
        packed = self.metadata.get("grpc-status-details-bin")
        if packed:
            for detail in status_pb2.Status.FromString(packed).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    self.reason, self.domain = info.reason, info.domain
                    self.info = dict(info.metadata)


class Client:
    """Calls `Service.Method` by name, with keyword arguments as the request's fields."""

    def __init__(self, address, metadata=(), credentials=None):
        options = [("grpc.max_receive_message_length", 64 << 20)]
        if credentials:
            self.channel = grpc.secure_channel(address, credentials, options)
        else:
            self.channel = grpc.insecure_channel(address, options)
        self.metadata = tuple(metadata)
        database = ProtoReflectionDescriptorDatabase(self.channel)
        self.services = set(database.get_services())
        self.pool = descriptor_pool.DescriptorPool(database)
        self.last = {}

    def method(self, name):
        service, method = name.split(".")
        descriptor = self.pool.FindServiceByName(f"strongroom.v1.{service}")
        return descriptor.FindMethodByName(method)

    def request(self, name, /, **fields):
        return message_factory.GetMessageClass(self.method(name).input_type)(**fields)

    def call(self, name, /, timeout=10, metadata=(), raw=None, **fields):
        method = self.method(name)
        answer = message_factory.GetMessageClass(method.output_type)
        path = f"/{method.containing_service.full_name}/{method.name}"
        stub = self.channel.unary_unary(
            path,
            request_serializer=lambda message: message,
            response_deserializer=answer.FromString,
        )
        body = raw if raw is not None else self.request(name, **fields).SerializeToString()
        metadata = self.metadata + tuple(metadata)
        try:
            response, call = stub.with_call(body, timeout=timeout, metadata=metadata)
        except grpc.RpcError as error:
            refused = Refused(error)
            self.last = refused.metadata
            raise refused from None
        # A unary answer's metadata is sent before its message.
        self.last = dict(call.initial_metadata()) | dict(call.trailing_metadata())
        return response

    def stream(self, name, /, timeout=10, **fields):
        method = self.method(name)
        answer = message_factory.GetMessageClass(method.output_type)
        path = f"/{method.containing_service.full_name}/{method.name}"
        stub = self.channel.unary_stream(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return stub(self.request(name, **fields), timeout=timeout, metadata=self.metadata)

    def record(self):
        """The audit record of the last call."""
        index = int(self.last["x-audit-log-index"])
        found = self.call("Audit.Query", start_index=index, end_index=index + 1).records
        assert len(found) == 1
        return found[0]


def as_dict(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True)
