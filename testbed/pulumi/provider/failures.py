"""Stand-in for pulumi-resource-kubernetes, in no registry: failures as the engine wants to be told of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
import urllib3
from google.protobuf import any_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from testbed.pulumi.provider.api import ApiError
from testbed.pulumi.provider.kinds import NoMatch

Request = TypeVar("Request")
Response = TypeVar("Response")

_TOLD = (ApiError, NoMatch, ValueError, OSError, NotImplementedError, urllib3.exceptions.HTTPError)


class InitFailed(Exception):
    """The object exists but did not become ready: the engine keeps it, with these outputs and reasons."""

    def __init__(
        self, identity: str, properties: struct_pb2.Struct, inputs: struct_pb2.Struct, reasons: list[str]
    ) -> None:
        super().__init__("; ".join(reasons))
        self.detail = provider_pb2.ErrorResourceInitFailed(
            id=identity, properties=properties, inputs=inputs, reasons=reasons
        )


def answered(
    method: Callable[[Any, Request, grpc.ServicerContext], Response],
) -> Callable[[Any, Request, grpc.ServicerContext], Response]:
    """Turn the failures of a method into gRPC errors; what is unexpected leaves its traceback on stderr."""

    @functools.wraps(method)
    def answer(self: Any, request: Request, context: grpc.ServicerContext) -> Response:  # noqa: ANN401 - any servicer
        try:
            return method(self, request, context)
        except InitFailed as error:
            context.set_trailing_metadata((("grpc-status-details-bin", _status(error)),))
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except _TOLD as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))

    return answer


def _status(error: InitFailed) -> bytes:
    detail = any_pb2.Any()
    detail.Pack(error.detail)
    code = grpc.StatusCode.UNKNOWN.value[0]
    return bytes(status_pb2.Status(code=code, message=str(error), details=[detail]).SerializeToString())
