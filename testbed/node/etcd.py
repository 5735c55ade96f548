"""How etcd holds what is stored: the first bytes of each value below a prefix, by key. Never more: it may be a secret.

    python -m testbed.node.etcd --ca FILE --certificate FILE --key FILE PREFIX

Run in the node's network, where etcd listens on the loopback. Prints a JSON object.
API: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import ssl
import sys

from .control_plane import ETCD_PORT

BEGINNING = 20  # bytes; an encrypted value names its provider there, one in the clear its kind


def beginnings(answer: bytes) -> dict[str, str]:
    """Key -> how its value begins, from etcd's answer to a range request."""
    found = json.loads(answer).get("kvs", [])
    return {_bytes(kv["key"]).decode(): _bytes(kv["value"])[:BEGINNING].decode("latin-1") for kv in found}


def question(prefix: str) -> bytes:
    """The range request for all keys that begin with ``prefix``."""
    first = prefix.encode()
    last = first[:-1] + bytes([first[-1] + 1])
    return json.dumps({"key": _text(first), "range_end": _text(last)}).encode()


def ask(context: ssl.SSLContext, prefix: str) -> dict[str, str]:
    """Ask the node's etcd; raises OSError when it does not answer."""
    connection = http.client.HTTPSConnection("127.0.0.1", ETCD_PORT, timeout=30, context=context)
    try:
        connection.request("POST", "/v3/kv/range", question(prefix))
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise OSError(f"etcd answers HTTP {answer.status}")
    return beginnings(content)


def main(arguments: list[str]) -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    for name in ("--ca", "--certificate", "--key"):
        parser.add_argument(name, required=True)
    parser.add_argument("prefix")
    given = parser.parse_args(arguments)
    context = ssl.create_default_context(cafile=given.ca)
    context.load_cert_chain(given.certificate, given.key)
    json.dump(ask(context, given.prefix), sys.stdout)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


if __name__ == "__main__":
    main(sys.argv[1:])
