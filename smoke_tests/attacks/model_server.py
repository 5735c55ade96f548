"""What a model server that was taken over would try: calls made by its own Python, in its own container.

The container has no curl. A model server that can be made to run code is what these protections are for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from smoke_tests.cluster import Cluster
from smoke_tests.egress import OUTSIDE_ADDRESS
from smoke_tests.predictors import MODEL_SERVER, Predictor

_SECONDS = 4
_GUARDS = {
    "reach": "NetworkPolicy and REGISTRY_ONLY egress",
    "write": "read-only file system",
    "read": "no token mounted",
    "root": "user without privileges",
}
_PROGRAM = """
import json, os, socket, sys
def reach(host, port):
    try:
        with socket.create_connection((host, port), timeout=%(seconds)d) as c:
            c.settimeout(%(seconds)d)
            c.sendall(b"GET / HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n")
            said = c.recv(4096).decode(errors="replace")
            if not said:
                return "refused by its own proxy: closed without a word"
            by = "refused by its own proxy: " if "server: envoy" in said and " 502 " in said[:16] else "answered: "
            return by + said.partition("\\r\\n")[0]
    except OSError as e:
        return "refused: " + (str(e) or type(e).__name__)
def write(path):
    try:
        with open(path, "w") as f:
            f.write("x")
        return "answered: written"
    except OSError as e:
        return "refused: " + os.strerror(e.errno)
def read(path):
    try:
        with open(path) as f:
            return "answered: " + f.read(16)
    except OSError as e:
        return "refused: " + os.strerror(e.errno)
def become_root(_):
    try:
        os.setuid(0)
        return "answered: uid 0"
    except OSError as e:
        return "refused: " + os.strerror(e.errno)
ways = {"write": write, "read": read, "root": become_root}
print(json.dumps([reach(a, b) if w == "reach" else ways[w](a) for w, a, b in json.loads(sys.argv[1])]))
"""


@dataclass(frozen=True)
class ServerAttempt:
    """Something that the model server tries. ``way``: reach (host and port), write or read (a path), root."""

    sentence: str
    way: str
    what: str
    port: int = 0

    @property
    def guard(self) -> str:
        """What stands in the way."""
        return _GUARDS[self.way]

    def __str__(self) -> str:
        """As an id of a test."""
        return self.sentence


CONTROLS = (
    ServerAttempt("It reaches itself", "reach", "127.0.0.1", 8080),
    ServerAttempt("It writes to its own cache", "write", "/tmp/sealift-attack"),  # noqa: S108 - of the container
    ServerAttempt("It reads its model", "read", "/mnt/models/config.json"),
)
"""What the same program can do in the same container: it runs, and the ways work."""


def attempts(api_server: str, registry: str, node: str, neighbour: str) -> list[ServerAttempt]:
    """Addresses and files that a model server has no business with. ``neighbour`` is another pod's address."""
    host, _, port = registry.partition("/")[0].partition(":")
    return [
        ServerAttempt("A model server reaches the API server.", "reach", api_server, 443),
        ServerAttempt("A model server reaches the API server on its node.", "reach", node, 6443),
        ServerAttempt("A model server reaches the kubelet.", "reach", node, 10250),
        ServerAttempt("A model server reaches the internal registry.", "reach", host, int(port or 443)),
        ServerAttempt("A model server reaches the metadata address of a cloud.", "reach", "169.254.169.254", 80),
        ServerAttempt("A model server reaches the internet.", "reach", OUTSIDE_ADDRESS, 443),
        ServerAttempt("A model server reaches a resolver outside.", "reach", "8.8.8.8", 53),
        ServerAttempt("A model server reaches a pod of another namespace.", "reach", neighbour, 8080),
        ServerAttempt("A model server changes its own program.", "write", "/usr/local/lib/sealift-attack"),
        ServerAttempt("A model server changes its model.", "write", "/mnt/models/config.json"),
        ServerAttempt(
            "A model server reads a token of the API server.",
            "read",
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
        ),
        ServerAttempt("A model server becomes root.", "root", ""),
    ]


def answers(cluster: Cluster, server: Predictor, tried: list[ServerAttempt]) -> list[str]:
    """What became of each of ``tried``: ``answered: …`` or ``refused: …``."""
    words = json.dumps([[a.way, a.what, a.port] for a in tried])
    program = _PROGRAM % {"seconds": _SECONDS}
    said = cluster.exec(server.pod, server.namespace, MODEL_SERVER, "python3", "-c", program, words)
    found: list[str] = json.loads(said)
    return found
