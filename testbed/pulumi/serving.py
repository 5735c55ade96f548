"""What both stand-ins for Pulumi's plugins share, because the engine starts and ends every plugin in the same way."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import grpc

MESSAGE_BYTES = 400 * 1024 * 1024  # the limit that Pulumi's own plugins set


def channel(address: str) -> grpc.Channel:
    """An insecure gRPC channel to the engine's loopback address (``host:port``)."""
    return grpc.insecure_channel(address, options=_limits())


def serve(register: Callable[[grpc.Server], None], threads: int, on_end: Callable[[], None]) -> None:
    """Serve until the engine ends this plugin.

    The first line of standard output is the port; the engine ends a plugin with SIGINT and waits 5 s for it to go.
    ``register`` adds the servicer to the server, ``on_end`` stops whatever still waits.
    """
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    # Before the port is printed: the engine may end a plugin as soon as it has answered.
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    server = grpc.server(ThreadPoolExecutor(threads), options=_limits())
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    ended.wait()
    on_end()
    server.stop(None)
    # Not sys.exit: it would join worker threads that may sit in an HTTP request for up to a minute.
    os._exit(0)


def _limits() -> list[tuple[str, int]]:
    return [("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.max_send_message_length", MESSAGE_BYTES)]
