"""Stand-in for pulumi-resource-kubernetes, which no package registry carries: the process that the engine starts."""

from __future__ import annotations

import sys

from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2_grpc

from testbed.pulumi.provider.servicer import Provider
from testbed.pulumi.serving import channel, serve


def main() -> None:
    """Serve the provider until the engine ends it; the first argument is the engine's address."""
    provider = Provider(engine_pb2_grpc.EngineStub(channel(sys.argv[1])))
    serve(
        lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server),
        threads=256,  # the engine sends at most --parallel calls; those that wait for readiness only sleep
        on_end=provider.end,
    )


if __name__ == "__main__":
    main()
