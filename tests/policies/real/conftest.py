"""A real API server with the platform's types, every policy in force, and nothing else that would refuse anything."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from policies.admission import admission_documents
from policies.examples import Names
from policies.receipt_parameter import receipt_parameter
from policies.rule import Document, rules
from policies.scope import NODE, PLATFORM, Scope
from policies.settings import Settings
from testbed.pulumi.provider.kubeconfig import access
from testbed.upstream import modules
from tests.policies.site import NAMES, RECEIPT
from tests.testbed.pulumi.real.conftest import ControlPlane

TENANT = NAMES.tenant
# Pod Security is off: what it refuses first would hide whether a policy does.
FLAGS = (
    "--disable-admission-plugins=PodSecurity,ServiceAccount",
    "--feature-gates=ImageVolume=true",
    "--allow-privileged=true",
)


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    status: int
    body: Mapping[str, Any]
    milliseconds: float

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def refused_by(self) -> str | None:
        """The policy that refused, or None."""
        _, found, after = self.message.partition("ValidatingAdmissionPolicy '")
        return after.partition("'")[0] if found and self.status >= 400 else None


class Server:
    """The API server as an administrator, or as somebody else whom the administrator acts for."""

    def __init__(self, kubeconfig: Path) -> None:
        found = access(str(kubeconfig))
        url = urllib3.util.parse_url(found.server)
        assert url.host
        self._headers = found.headers
        self._pool = urllib3.HTTPSConnectionPool(url.host, url.port, ssl_context=found.tls, retries=False)

    def ask(
        self,
        method: str,
        path: str,
        document: Document | None = None,
        kind: str = "json",
        *,
        user: str | None = None,
        groups: Sequence[str] = (),
    ) -> Answer:
        headers = urllib3.HTTPHeaderDict({**self._headers, "Content-Type": f"application/{kind}"})
        if user or groups:
            headers["Impersonate-User"] = user or "somebody"
            for group in groups:
                headers.add("Impersonate-Group", group)
        started = time.perf_counter()
        response = self._pool.request(method, path, body=json.dumps(document) if document else None, headers=headers)
        taken = (time.perf_counter() - started) * 1000
        try:
            body = json.loads(response.data)
        except ValueError:
            body = {"message": response.data.decode(errors="replace")}
        return Answer(response.status, body, taken)

    def apply(self, document: Document, *, dry: bool = False) -> Answer:
        """Server-side apply."""
        query = f"?fieldManager=test&force=true{'&dryRun=All' if dry else ''}"
        return self.ask("PATCH", self.path(document) + query, document, "apply-patch+yaml")

    def create(self, document: Document, *, dry: bool = True, user: str | None = None) -> Answer:
        collection = self.path(document).rpartition("/")[0]
        return self.ask("POST", collection + ("?dryRun=All" if dry else ""), document, user=user)

    def connect(self, document: Document, groups: Sequence[str]) -> Answer:
        """What ``kubectl exec``, ``attach`` and ``port-forward`` ask for."""
        resource = {"PodExecOptions": "exec", "PodAttachOptions": "attach", "PodPortForwardOptions": "portforward"}
        metadata = document["metadata"]
        pod = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        return self.ask("POST", f"{pod}/{resource[document['kind']]}?command=sh", groups=groups)

    def path(self, document: Document) -> str:
        version, metadata = document["apiVersion"], document["metadata"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        listed = self.ask("GET", root).body.get("resources", [])
        [plural] = [r["name"] for r in listed if r["kind"] == document["kind"] and "/" not in r["name"]]
        namespace = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
        return f"{root}{namespace}/{plural}/{metadata['name']}"


def eventually(question: Callable[[], bool], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def _served(server: Server, path: str) -> bool:
    return server.ask("GET", path).status == 200


def types() -> list[Document]:
    """The CustomResourceDefinitions of what the rules judge, as their modules bring them."""
    places = {
        "github.com/kserve/kserve": [
            "config/crd/minimal/serving.kserve.io_*.yaml",
            "config/crd/minimal/clusterstoragecontainer/serving*.yaml",
            "config/crd/minimal/localmodel/serving*.yaml",
        ],
        "knative.dev/serving": ["config/core/300-resources/*.yaml"],
        "knative.dev/caching": ["config/image.yaml"],
        "istio.io/istio": ["manifests/charts/base/files/crd-all.gen.yaml"],
        "sigs.k8s.io/gateway-api": ["config/crd/standard/*gateways.yaml"],
    }
    files = [f for module, globs in places.items() for g in globs for f in sorted(modules.directory(module).glob(g))]
    documents = [d for f in files for d in yaml.safe_load_all(f.read_text()) if d]
    return [d for d in documents if d["kind"] == "CustomResourceDefinition"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The API server with types and namespaces, before any policy."""
    plane = ControlPlane(tmp_path_factory.mktemp("policies"), *FLAGS)
    try:
        plane.start()
        server = Server(plane.kubeconfig)
        for document in types():
            answer = server.apply(document)
            assert answer.status < 300, answer.message
        for name in {*PLATFORM, TENANT} - {NODE}:
            labels = {"pod-security.kubernetes.io/enforce": "restricted"}
            server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        made = [(d["spec"]["group"], v["name"]) for d in types() for v in d["spec"]["versions"]]
        for group, version in made:
            ready = f"/apis/{group}/{version}"
            eventually(partial(_served, server, ready), f"{ready} is not served")
        yield server
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def guarded(server: Server) -> Server:
    """The same with the receipt and every policy, in force."""
    assert server.apply(receipt_parameter(RECEIPT)).status < 300
    for document in admission_documents(rules(), Scope(models=[TENANT]), Settings()):
        answer = server.apply(document)
        assert answer.status < 300, f"{document['metadata']['name']}: {answer.message}"
    return server


@pytest.fixture
def names() -> Names:
    return NAMES
