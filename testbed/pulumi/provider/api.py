"""Stand-in for pulumi-resource-kubernetes, in no registry: the few calls to a Kubernetes API that it needs."""

from __future__ import annotations

import json
import ssl
import threading
from typing import Any
from urllib.parse import urlencode

import urllib3

from testbed.pulumi.provider.kinds import Kinds, NoMatch
from testbed.pulumi.provider.kubeconfig import Access
from testbed.pulumi.provider.properties import Json

Object = dict[str, Any]

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class ApiError(Exception):
    """An answer of the API server with a status of 400 or more; ``reason`` is the Status object's, or empty."""

    def __init__(self, status: int, body: bytes) -> None:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = {}
        answer = answer if isinstance(answer, dict) else {}
        self.status = status
        self.reason = str(answer.get("reason", ""))
        super().__init__(answer.get("message") or f"HTTP {status}: {body[:500]!r}")

    @property
    def is_already_exists(self) -> bool:
        """Whether a create met an object of that name."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def is_silent_webhook(self) -> bool:
        """Whether an admission webhook was called at an address where nothing listened."""
        text = str(self)
        return self.status == 500 and "failed calling webhook" in text and "connection refused" in text


class Api:
    """One API server. Safe to use from many threads; ``calls`` counts the requests made."""

    def __init__(self, access: Access) -> None:
        self.namespace = access.namespace
        self.calls = 0
        self._count = threading.Lock()
        url = urllib3.util.parse_url(access.server)
        self._prefix = (url.path or "").rstrip("/")
        self._headers = access.headers
        # 429 is the API server asking for patience (priority and fairness): client-go retries it too.
        retries = urllib3.Retry(
            total=6,
            connect=3,
            read=0,
            status=6,
            status_forcelist=[429],
            backoff_factor=0.2,
            allowed_methods=None,
            raise_on_status=False,
        )
        if access.tls.verify_mode is ssl.CERT_NONE:
            # The kubeconfig says so, for everyone to read; a line for each request would drown Pulumi's own.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        timeout = urllib3.Timeout(connect=10, read=65)
        host = url.host or ""
        self._pool: urllib3.HTTPConnectionPool
        if url.scheme == "http":
            self._pool = urllib3.HTTPConnectionPool(host, url.port or 80, maxsize=64, retries=retries, timeout=timeout)
        else:
            self._pool = urllib3.HTTPSConnectionPool(
                host,
                url.port or 443,
                maxsize=64,
                retries=retries,
                timeout=timeout,
                ssl_context=access.tls,
                server_hostname=access.server_name,
            )
        self.kinds = Kinds(self._resources)

    def request(
        self, method: str, path: str, body: Json = None, content_type: str = "application/json", **query: str
    ) -> Json:
        """One request; ``body`` is sent as JSON. The answer's JSON, or {} for none. Raises ApiError."""
        url = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        with self._count:
            self.calls += 1
        if body is None:
            answer = self._pool.request(method, url, headers=self._headers)
        else:
            headers = {**self._headers, "Content-Type": content_type}
            answer = self._pool.request(method, url, body=json.dumps(body), headers=headers)
        if answer.status >= 400:
            raise ApiError(answer.status, answer.data)
        return json.loads(answer.data) if answer.data else {}

    def path(self, version: str, kind: str, namespace: str | None, name: str | None = None) -> str:
        """The path of a collection, or of the object ``name`` in it. Raises NoMatch for a kind that is not served."""
        found = self.kinds.find(version, kind)
        path = group_path(version)
        if found.namespaced:
            path += f"/namespaces/{namespace or self.namespace}"
        path += f"/{found.plural}"
        return f"{path}/{name}" if name else path

    def get(self, version: str, kind: str, namespace: str | None, name: str) -> Object:
        """Read one object."""
        answer: Object = self.request("GET", self.path(version, kind, namespace, name))
        return answer

    def items(self, version: str, kind: str, namespace: str | None, **query: str) -> list[Object]:
        """Read the objects of a collection; the query takes labelSelector and fieldSelector."""
        answer = self.request("GET", self.path(version, kind, namespace), **query)
        return answer.get("items") or []

    def create(self, manifest: Object, manager: str, *, dry_run: bool) -> Object:
        """POST an object that must not exist yet."""
        meta = manifest["metadata"]
        path = self.path(manifest["apiVersion"], manifest["kind"], meta.get("namespace"))
        answer: Object = self.request("POST", path, manifest, fieldManager=manager, **_dry_run(dry_run))
        return answer

    def apply(self, manifest: Object, manager: str, *, force: bool, dry_run: bool) -> Object:
        """Server-side apply; ``force`` takes over fields that other managers own."""
        query = {"fieldManager": manager, "force": str(force).lower(), **_dry_run(dry_run)}
        answer: Object = self.request("PATCH", self._path_of(manifest), manifest, APPLY, **query)
        return answer

    def patch(self, live: Object, change: Json, content_type: str, **query: str) -> Object:
        """Send a JSON patch or a merge patch to an object."""
        answer: Object = self.request("PATCH", self._path_of(live), change, content_type, **query)
        return answer

    def delete(self, version: str, kind: str, namespace: str | None, name: str, propagation_policy: str) -> None:
        """Ask for a deletion; finalizers may keep the object for longer."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation_policy}
        self.request("DELETE", self.path(version, kind, namespace, name), options)

    def _path_of(self, manifest: Object) -> str:
        meta = manifest["metadata"]
        return self.path(manifest["apiVersion"], manifest["kind"], meta.get("namespace"), meta["name"])

    def _resources(self, version: str) -> list[Object]:
        try:
            return self.request("GET", group_path(version)).get("resources") or []
        except ApiError as error:
            if error.status == 404:
                return []
            raise


def group_path(version: str) -> str:
    """Where the API server serves an apiVersion: the core group has a root of its own."""
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def is_absent(error: ApiError | NoMatch) -> bool:
    """Whether an error means that the object, its namespace or its kind is not there."""
    return isinstance(error, NoMatch) or error.status == 404


def _dry_run(wanted: bool) -> dict[str, str]:
    return {"dryRun": "All"} if wanted else {}
