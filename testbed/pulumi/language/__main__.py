"""Stand-in for pulumi-language-python, which no package registry carries: the process that the engine starts."""

from __future__ import annotations

from pulumi.runtime.proto import language_pb2_grpc

from testbed.pulumi.language.host import LanguageHost
from testbed.pulumi.serving import serve


def main() -> None:
    """Serve the language host until the engine ends it."""
    host = LanguageHost()
    serve(
        lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server),
        threads=16,
        on_end=host.end_children,
    )


if __name__ == "__main__":
    main()
