"""Stand-in for pulumi-resource-kubernetes, in no registry: from a kubeconfig to an address and credentials."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Access:
    """How to reach one API server: ``server`` is its URL, ``headers`` carry the credentials that TLS does not."""

    server: str
    namespace: str
    tls: ssl.SSLContext
    server_name: str | None
    headers: dict[str, str]


def read(text: str) -> tuple[dict[str, Any], Path]:
    """A kubeconfig from its contents, a path, or (empty text) ``$KUBECONFIG``, then ``~/.kube/config``.

    Returns the document and the directory that its relative paths start from. Of several files in ``$KUBECONFIG`` the
    first that exists is taken; they are not merged.
    """
    if "\n" in text or text.lstrip().startswith("{"):
        return _mapping(yaml.safe_load(text)), Path.cwd()
    candidates = [text] if text else os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep)
    paths = [Path(candidate).expanduser() for candidate in candidates]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"no kubeconfig: {os.pathsep.join(map(str, paths))} is not a file; set KUBECONFIG")
    return _mapping(yaml.safe_load(path.read_text())), path.parent


def active_cluster(document: dict[str, Any], context: str | None, cluster: str | None) -> dict[str, Any]:
    """The cluster entry that a context selects: what the official provider takes for the identity of a cluster."""
    selected = _named(document, "context", context or document.get("current-context"))
    return _named(document, "cluster", cluster or selected.get("cluster"))


def access(text: str, context: str | None = None, cluster: str | None = None) -> Access:
    """The address and credentials that a kubeconfig, and a context of it, stand for."""
    document, directory = read(text)
    selected = _named(document, "context", context or document.get("current-context"))
    entry = active_cluster(document, context, cluster)
    user = _named(document, "user", selected.get("user"))
    if not entry.get("server"):
        raise ValueError(f"the kubeconfig's context {context or document.get('current-context')!r} names no cluster")
    headers = {"Accept": "application/json", "User-Agent": "pulumi-resource-kubernetes stand-in"}
    token = _token(user, directory)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return Access(
        server=entry["server"],
        namespace=selected.get("namespace") or "default",
        tls=_tls(entry, user, directory),
        server_name=entry.get("tls-server-name"),
        headers=headers,
    )


def _mapping(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ValueError("the kubeconfig is not a mapping")
    return document


def _named(document: dict[str, Any], kind: str, name: str | None) -> dict[str, Any]:
    found = (entry.get(kind) for entry in document.get(f"{kind}s") or [] if entry.get("name") == name)
    return next(found, None) or {}


def _pem(entry: dict[str, Any], key: str, directory: Path) -> str | None:
    """A PEM text that stands in the kubeconfig itself, or in a file beside it."""
    if entry.get(f"{key}-data"):
        return base64.b64decode(entry[f"{key}-data"]).decode()
    return (directory / entry[key]).read_text() if entry.get(key) else None


def _tls(cluster: dict[str, Any], user: dict[str, Any], directory: Path) -> ssl.SSLContext:
    tls = ssl.create_default_context(cadata=_pem(cluster, "certificate-authority", directory))
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    certificate, key = _pem(user, "client-certificate", directory), _pem(user, "client-key", directory)
    if certificate and key:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # ssl loads client certificates from files only
            file.write(f"{certificate}\n{key}\n")
            file.flush()
            tls.load_cert_chain(file.name)
    return tls


def _token(user: dict[str, Any], directory: Path) -> str | None:
    sources: list[tuple[str, Callable[[], str]]] = [
        ("token", lambda: str(user["token"])),
        ("tokenFile", lambda: (directory / user["tokenFile"]).read_text().strip()),
        ("exec", lambda: _exec_token(user["exec"])),
    ]
    return next((read_token() for key, read_token in sources if user.get(key)), None)


def _exec_token(plugin: dict[str, Any]) -> str:
    """Ask a credential plugin (client.authentication.k8s.io) for a bearer token."""
    environment = os.environ | {entry["name"]: entry["value"] for entry in plugin.get("env") or []}
    question = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(question)
    answer = subprocess.check_output([plugin["command"], *(plugin.get("args") or [])], env=environment)
    return str(json.loads(answer)["status"]["token"])
