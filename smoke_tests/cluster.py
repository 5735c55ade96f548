"""The cluster as kubectl shows it; commands inside pods go through testinfra's kubectl backend."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import testinfra
from testinfra.host import Host

from mirror.errors import BadInput, ToolMissing

from .environment import GatewayService

Document = dict[str, Any]
INFERENCE_SERVICE = "serving.kserve.io/inferenceservice"
"""The label of a model's pods."""
INFERENCE_SERVICES = "inferenceservices.serving.kserve.io"


@dataclass(frozen=True)
class Refused:
    """What the API server answered to a request that it did not accept."""

    message: str


@dataclass(frozen=True)
class Identity:
    """Whom the API server shall take a request to be from: the kubeconfig's user acts for them (impersonation)."""

    user: str
    groups: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        """kubectl's."""
        return [f"--as={self.user}", *(f"--as-group={g}" for g in self.groups)]


@dataclass(frozen=True)
class Cluster:
    """A cluster behind a kubeconfig (None: kubectl's default)."""

    kubeconfig: Path | None

    def get(self, *arguments: str) -> Document:
        """``kubectl get ARGUMENTS -o json``; raises ToolMissing with kubectl's own message."""
        return _document(self._checked("get", *arguments, "-o", "json"))

    def items(self, *arguments: str) -> list[Document]:
        """The items of a list."""
        found: list[Document] = self.get(*arguments)["items"]
        return found

    def exists(self, *arguments: str) -> bool:
        """Whether one named object exists."""
        return bool(self._checked("get", *arguments, "--ignore-not-found", "-o", "name").strip())

    def kubernetes(self) -> str:
        """The API server's version, such as ``v1.34.4``."""
        return str(_document(self._checked("version", "-o", "json"))["serverVersion"]["gitVersion"])

    def apply(self, *documents: Document) -> None:
        """Server-side apply."""
        self._checked("apply", "--server-side", "--field-manager=sealift-smoke", "-f", "-", stdin=_list(documents))

    def try_create(self, document: Document) -> Refused | None:
        """Ask the API server, with all its admission, whether it would create ``document``; creates nothing."""
        return self.ask("create", "--dry-run=server", "-o", "name", "-f", "-", stdin=json.dumps(document))

    def ask(self, *arguments: str, identity: Identity | None = None, stdin: str | None = None) -> Refused | None:
        """Run kubectl as ``identity`` (None: the kubeconfig's own user), and say what it was refused with."""
        done = self._run(*(identity.options if identity else []), *arguments, stdin=stdin)
        return None if done.returncode == 0 else Refused(done.stderr.strip())

    def review(self, document: Document, identity: Identity) -> Document:
        """What the API server answers ``identity`` to a review: an object that asks and is never stored.

        kubectl does not validate it first: it would look through the cluster's types, which ``identity`` may not see.
        """
        words = (*identity.options, "create", "--validate=ignore", "-o", "json", "-f", "-")
        return _document(self._checked(*words, stdin=json.dumps(document)))

    def delete(self, *names: str, namespace: str) -> None:
        """Delete objects, each as ``kind/name``; those that are not there are gone already."""
        self._checked("delete", *names, "-n", namespace, "--ignore-not-found", "--wait=false")

    def delete_namespace(self, name: str, *, seconds: int) -> None:
        """Delete a namespace and wait until it is gone, at most ``seconds``."""
        self._checked("delete", "namespace", name, "--ignore-not-found", f"--timeout={seconds}s")

    def wait_ready(self, pod: str, namespace: str, *, seconds: int) -> None:
        """Wait until a pod is Ready, at most ``seconds``; raises ToolMissing with the pod's own account of why not."""
        done = self._run("wait", "--for=condition=Ready", f"pod/{pod}", "-n", namespace, f"--timeout={seconds}s")
        if done.returncode:
            events = self._run("get", "events", "-n", namespace, "-o", "jsonpath={.items[*].message}").stdout
            raise ToolMissing(f"pod {namespace}/{pod}", f"not Ready in {seconds} s: {events[-600:]}", "See its events.")

    def exec(self, pod: str, namespace: str, container: str, *command: str) -> str:
        """Run ``command`` in a container that may have no shell, and return its standard output."""
        return self._checked("exec", "-n", namespace, pod, "-c", container, "--", *command)

    def logs(self, *which: str, minutes: int = 15) -> str:
        """What all containers of the pods of ``which`` (``-n NAMESPACE -l SELECTOR``) wrote in the last ``minutes``."""
        return self._checked("logs", *which, "--all-containers", "--tail=-1", f"--since={minutes}m")

    def host(self, pod: str, namespace: str, container: str) -> Host:
        """A pod's container as a testinfra host (it needs a shell)."""
        options = {"namespace": namespace, "container": container}
        if self.kubeconfig:
            options["kubeconfig"] = str(self.kubeconfig)
        return testinfra.get_host(f"kubectl://{pod}?{urlencode(options)}")

    def predictor_pods(self, name: str, namespace: str) -> list[Document]:
        """The pods of an InferenceService that are not being deleted."""
        pods = self.items("pods", "-n", namespace, "-l", f"{INFERENCE_SERVICE}={name}")
        return [p for p in pods if "deletionTimestamp" not in p["metadata"]]

    def _checked(self, *arguments: str, stdin: str | None = None) -> str:
        done = self._run(*arguments, stdin=stdin)
        if done.returncode:
            told = done.stderr.strip() or f"exit code {done.returncode}"
            raise ToolMissing(f"kubectl {' '.join(arguments[:3])}", told, "Check --kubeconfig and its permissions.")
        return done.stdout

    def _run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        which = [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        try:
            return subprocess.run(
                ["kubectl", *which, *arguments], input=stdin, capture_output=True, text=True, timeout=600, check=False
            )
        except FileNotFoundError as e:
            raise ToolMissing("kubectl", "it is not on PATH", "Install kubectl; the bundle's tools contain it.") from e


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 1.0) -> bool:
    """Whether ``condition`` became true within ``seconds``; asked again each ``every`` seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(every)
    return True


def gateway_address(cluster: Cluster, gateway: GatewayService, given: str | None) -> tuple[str, int]:
    """Where the gateway answers from here: ``given`` (HOST[:PORT]), else the load balancer, else a node's port.

    The port is the Service's own behind a load balancer and its node port otherwise.
    """
    service = cluster.get("service", gateway.service, "-n", gateway.namespace)
    port = next((p for p in service["spec"]["ports"] if gateway.port in (p["port"], p.get("nodePort"))), None)
    if port is None:
        raise BadInput(f"port {gateway.port}", f"Service {gateway.service} has none such", "Deploy the stack again.")
    node_port: int | None = port.get("nodePort")
    if given:
        host, _, explicit = given.partition(":")
        return host, int(explicit) if explicit else node_port or port["port"]
    for ingress in service.get("status", {}).get("loadBalancer", {}).get("ingress") or []:
        return ingress.get("ip") or ingress["hostname"], port["port"]
    if node_port:
        return node_address(cluster.items("nodes")[0]), node_port
    raise BadInput(
        f"Service {gateway.namespace}/{gateway.service}",
        "it has neither a load balancer nor a node port",
        "Give --address HOST[:PORT] where the gateway answers.",
    )


def node_address(node: Document) -> str:
    """The address at which the pods and the other nodes reach ``node`` (a Node)."""
    return str(next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"))


def _document(text: str) -> Document:
    found: Document = json.loads(text)
    return found


def _list(documents: tuple[Document, ...]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})
