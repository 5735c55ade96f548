"""What the program asks the cluster itself: which one it is, whether its webhooks answer, which CA it trusts."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from mirror.errors import BadInput, ChecksFailed

from .documents import Document, key

_UNREACHABLE_WEBHOOK = ("failed calling webhook", "failed to call webhook", "x509:")


class Cluster(Protocol):
    """A cluster as the components need it beside Pulumi's provider."""

    def uid(self) -> str:
        """The UID of the kube-system namespace: the cluster's identity."""

    def refusal(self, document: Document) -> str | None:
        """Why the API server cannot ask the webhooks that guard ``document``; None when they answered."""

    def verdict(self, document: Document) -> str:
        """What the API server says against ``document`` when it is created as a dry run; empty when it would be."""

    def certificate(self, namespace: str, secret: str) -> str:
        """The public certificate (PEM) in a TLS Secret; the key never leaves the cluster."""

    def read(self, path: str) -> dict[str, Any]:
        """The object or list at ``path`` of the Kubernetes API; raises BadInput when it is not given."""


@dataclass(frozen=True)
class KubernetesCluster:
    """The cluster behind a kubeconfig: the same one that Pulumi's Kubernetes provider would use."""

    api: client.ApiClient

    @classmethod
    def reached_by(cls, kubeconfig: str | None, context: str | None) -> KubernetesCluster:
        """Connect by ``kubeconfig`` (a path or its contents; None: $KUBECONFIG, then ~/.kube/config)."""
        try:
            if kubeconfig and ("\n" in kubeconfig or kubeconfig.lstrip().startswith("{")):
                contents = yaml.safe_load(kubeconfig)
                api = config.new_client_from_config_dict(contents, context=context)  # type: ignore[no-untyped-call]
            else:
                path = str(Path(kubeconfig).expanduser()) if kubeconfig else None
                api = config.new_client_from_config(path, context=context)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError, yaml.YAMLError) as e:
            given = f"kubeconfig {kubeconfig or '$KUBECONFIG or ~/.kube/config'}"
            raise BadInput(given, str(e), "Give a kubeconfig of the cluster in $KUBECONFIG.") from e
        return cls(api)

    def uid(self) -> str:
        """The UID of the kube-system namespace; raises BadInput when the API server does not tell it."""
        return str(self.read("/api/v1/namespaces/kube-system")["metadata"]["uid"])

    def read(self, path: str) -> dict[str, Any]:
        """What the API server answers to GET ``path`` (with its query); raises BadInput when it does not."""
        status, answer = self._ask("GET", path)
        if status != HTTPStatus.OK:
            given = f"API server {self.api.configuration.host}: {path.partition('?')[0]}"
            raise BadInput(given, _message(answer), "Check $KUBECONFIG, its rights, and that the server answers.")
        return answer

    def refusal(self, document: Document) -> str | None:
        """Apply ``document`` as a dry run. Only a webhook that cannot be asked counts: other refusals are Pulumi's."""
        status, answer = self._apply(document)
        message = _message(answer)
        unreachable = status is None or any(sign in message for sign in _UNREACHABLE_WEBHOOK)
        return message if unreachable else None

    def verdict(self, document: Document) -> str:
        """Apply ``document`` as a dry run."""
        status, answer = self._apply(document)
        return _message(answer) if status is None or status >= HTTPStatus.BAD_REQUEST else ""

    def certificate(self, namespace: str, secret: str) -> str:
        """``tls.crt`` of the Secret; raises ChecksFailed when there is none."""
        status, answer = self._ask("GET", f"/api/v1/namespaces/{namespace}/secrets/{secret}")
        if status != HTTPStatus.OK:
            given = f"secret {namespace}/{secret}"
            raise ChecksFailed(given, _message(answer), "Look at cert-manager's Certificate of that name.")
        return base64.b64decode(answer["data"]["tls.crt"]).decode()

    def _apply(self, document: Document) -> tuple[int | None, dict[str, Any]]:
        query = [("dryRun", "All"), ("fieldManager", "sealift-probe"), ("force", "true")]
        return self._ask("PATCH", self._path(document), query, document)

    def _path(self, document: Document) -> str:
        version, metadata = document["apiVersion"], document["metadata"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        _, found = self._ask("GET", root)
        of_kind = [r["name"] for r in found.get("resources", []) if r["kind"] == document["kind"]]
        plural = next((n for n in of_kind if "/" not in n), document["kind"].lower() + "s")
        namespace = metadata.get("namespace")
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{scope}/{plural}/{metadata['name']}"

    def _ask(
        self, method: str, path: str, query: Sequence[tuple[str, str]] = (), document: Document | None = None
    ) -> tuple[int | None, dict[str, Any]]:
        """Status and body of the answer; the status is None when there was no answer."""
        # Discovery answers 415 to a question that says it brings a patch.
        brings = {"Content-Type": "application/apply-patch+yaml"} if document else {}
        headers = {"Accept": "application/json", **brings}
        request = self.api.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params=headers,
            body=json.dumps(document) if document else None,
            auth_settings=["BearerToken"],
        )
        try:
            response = self.api.call_api(*request, _request_timeout=30)
            body = response.read() or b"{}"  # type: ignore[no-untyped-call]
        except (ApiException, HTTPError) as e:
            return None, {"message": str(e)}
        try:
            return int(response.status), json.loads(body)
        except ValueError:
            return int(response.status), {"message": body.decode(errors="replace")[:300]}


def wait_until_answered(
    cluster: Cluster,
    documents: list[Document],
    *,
    seconds: float = 120,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], Any] = time.sleep,
) -> None:
    """Return when the webhooks that guard ``documents`` answer; raises ChecksFailed after ``seconds``.

    A webhook's pod is Ready, and its Service has an endpoint, about a second before every node routes to it; an
    object applied in that second would be refused. Asking with the very objects that come next ends the wait at the
    right moment.
    """
    end = clock() + seconds
    for document in documents:
        while (why := cluster.refusal(document)) is not None:
            if clock() > end:
                instead = "Look at the webhook's pods and Service, then run pulumi up again."
                raise ChecksFailed(f"webhook that guards {key(document)}", why, instead)
            pause(0.25)


def _message(answer: Mapping[str, Any]) -> str:
    return str(answer.get("message") or "it gave no reason")
