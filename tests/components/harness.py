"""A small site and a Pulumi engine that only takes notes, for the tests of components and stacks."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks
from pulumi.runtime.proto.resource_pb2 import RegisterResourceRequest as Request

from components.documents import Document
from components.site import Site
from components.size import SIZES
from mirror import discover, render
from mirror.lock import Excluded
from mirror.receipt import (
    Receipt,
    ReceivedFile,
    ReceivedImage,
    ReceivedModel,
    ReceivedPart,
    ReceivedRuntime,
)
from mirror.reference import Reference, mirrored
from policies.admission import policy_name
from policies.rule import rules
from tests.components.upstream_roles import upstream_roles

CONTENT = Path(__file__).parent / "content"
REGISTRY = "registry.site:5000"
CLUSTER = "6f1d7f5e-0000-4000-8000-000000000001"
VLLM = "docker.io/vllm/vllm-openai-cpu:v0.32.0"
NAMESPACES = {"kserve-crd": "kserve", "net-istio": "knative-serving", "gateway-api": None}
PARTS = [p.stem for p in sorted(CONTENT.glob("*.yaml"))]


# A cluster of one node, whose API server runs on it as a host process.
CLUSTER_ANSWERS: dict[str, dict[str, Any]] = {
    "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices": {
        "items": [{"endpoints": [{"addresses": ["192.0.2.10"]}], "ports": [{"port": 6443}]}]
    },
    "/api/v1/namespaces/default/services/kubernetes": {
        "spec": {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "ports": [{"port": 443}]}
    },
    "/api/v1/nodes": {
        "items": [
            {
                "metadata": {"name": "node"},
                "spec": {"podCIDRs": ["10.244.0.0/24"]},
                "status": {
                    "addresses": [{"type": "InternalIP", "address": "192.0.2.10"}],
                    "runtimeHandlers": [{"name": "", "features": {"userNamespaces": True}}],
                },
            }
        ]
    },
}


def digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def received_image(text: str) -> ReceivedImage:
    reference = Reference.parse(text)
    pinned = reference.with_digest(reference.digest or digest(text))
    name = f"{reference.name}:{reference.tag}" if reference.tag else reference.name
    return ReceivedImage(
        reference=name, digest=str(pinned.digest), mirrored=str(mirrored(pinned, REGISTRY).pinned()), size=1
    )


def received_part(name: str, directory: Path) -> ReceivedPart:
    data = (CONTENT / f"{name}.yaml").read_bytes()
    if roles := upstream_roles(name):
        data += b"---\n" + yaml.safe_dump_all(roles, sort_keys=False).encode()
    path = directory / "content" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    sites = [s for d in render.release([path]) for s in discover.find(d) if s.reference]
    return ReceivedPart(
        name=name,
        kind="manifest",
        namespace=NAMESPACES.get(name, name),
        release=None,
        values={},
        files=[ReceivedFile(path=f"content/{name}.yaml", sha256=hashlib.sha256(data).hexdigest())],
        images=sorted({str(s.reference) for s in sites}),
    )


def make_receipt(directory: Path, **changes: object) -> Path:
    """Write a receipt of the small site to ``directory`` and return its path."""
    parts = [received_part(name, directory) for name in PARTS]
    images = sorted({i for p in parts for i in p.images if "art-explainer" not in i} | {VLLM})
    model = digest("weights")
    fields: dict[str, Any] = {
        "registry": REGISTRY,
        "bundle": digest("lock"),
        "kubernetes": "1.34",
        "images": [received_image(i) for i in images],
        "models": [
            ReceivedModel(
                name="tiny",
                origin="huggingface.co/org/tiny",
                revision="0" * 40,
                licence="Apache-2.0",
                digest=model,
                mirrored=f"{REGISTRY}/huggingface.co/org/tiny@{model}",
                size=1,
            )
        ],
        "parts": parts,
        "runtimes": [ReceivedRuntime(name="vllm-cpu", engine="vllm", accelerator="cpu", image=VLLM)],
        "exclusions": [Excluded(value="kserve/art-explainer:v0.20.0", reason="no explainer is shipped")],
    }
    path = directory / "receipt.json"
    Receipt(**{**fields, **changes}).write(path)
    return path


@dataclass
class FakeCluster:
    """A cluster whose webhooks refuse ``refusals`` times before they answer."""

    identity: str = CLUSTER
    refusals: int = 0
    asked: list[str] = field(default_factory=list)
    answers: dict[str, dict[str, Any]] = field(default_factory=lambda: dict(CLUSTER_ANSWERS))

    def uid(self) -> str:
        return self.identity

    def refusal(self, document: Document) -> str | None:
        self.asked.append(f"{document['kind']}/{document['metadata']['name']}")
        self.refusals -= 1
        return "failed calling webhook: connection refused" if self.refusals >= 0 else None

    def verdict(self, document: Document) -> str:
        """Refused, by every policy that there is."""
        return " ".join(f"'{policy_name(r)}'" for r in rules())

    def certificate(self, namespace: str, secret: str) -> str:
        return f"certificate of {namespace}/{secret}"

    def read(self, path: str) -> dict[str, Any]:
        return self.answers[path.partition("?")[0]]


def make_site(directory: Path, *, size: str = "small", **changes: object) -> Site:
    origin = make_receipt(directory, **changes)
    return Site(Receipt.read(origin), origin, FakeCluster(), SIZES[size])  # type: ignore[index]


@dataclass
class Noted:
    """What the program registered: documents by resource name, and what each depends on."""

    documents: dict[str, Document] = field(default_factory=dict)
    depends: dict[str, set[str]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    providers: dict[str, str] = field(default_factory=dict)

    def comes_after(self, late: str, early: str) -> bool:
        """Whether ``late`` waits for ``early``, directly or through others."""
        seen, todo = set(), [late]
        while todo:
            for name in self.depends.get(todo.pop(), set()) - seen:
                seen.add(name)
                todo.append(name)
        return early in seen


class _Answers(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return f"{args.name}-id", args.inputs

    def call(self, args: mocks.MockCallArgs) -> dict[Any, Any]:
        raise AssertionError(f"the program called {args.token}")


class _Monitor(mocks.MockMonitor):
    def __init__(self, noted: Noted) -> None:
        super().__init__(_Answers())
        self.noted = noted

    def RegisterResource(self, request: Request) -> object:
        answer = super().RegisterResource(request)
        registered = self.resources.get(answer.urn)
        self.noted.depends[request.name] = {d.rpartition("::")[2] for d in request.dependencies}
        self.noted.parents[request.name] = request.parent.rpartition("::")[2]
        self.noted.providers[request.name] = request.provider
        if registered is not None:
            _close_loop_of_thread()
        if registered is not None and request.type.startswith("kubernetes:"):
            self.noted.documents[request.name] = registered.state
        return answer


def _close_loop_of_thread() -> None:
    """The SDK leaves an event loop behind in every thread that registers: it would be reported as never closed."""
    if threading.current_thread() is not threading.main_thread():
        asyncio.get_event_loop_policy().get_event_loop().close()
        asyncio.set_event_loop(None)


def run(program: Callable[[], Any], *, preview: bool = False) -> Noted:
    """Run ``program`` against an engine that takes notes."""
    noted = Noted()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        mocks.set_mocks(_Answers(), project="sealift", stack="test", preview=preview, monitor=_Monitor(noted))
        mocks.test(program)()
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return noted


def value(output: pulumi.Output[Any]) -> list[Any]:
    """A list into which the value of ``output`` comes when the program has run."""
    box: list[Any] = []
    output.apply(box.append)
    return box
