"""What is scanned: Kubernetes documents out of Pulumi's state or preview, a kubectl list, or manifests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.documents import Document, key
from mirror import render
from mirror.errors import BadInput

_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # Pulumi's sentinel of a value that only the update makes known
_SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - Pulumi's mark of a secret in its state
_HIDDEN = "********"
_HASHES = ("pod-template-hash", "controller-revision-hash")
_SET_BY_CLUSTER = ("managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "generateName")


@dataclass(frozen=True)
class Subject:
    """A named set of objects that belong together: a stack's, or what runs in a cluster."""

    title: str
    documents: tuple[Document, ...]


def read(path: Path, title: str | None = None) -> Subject:
    """The objects in ``path``: of ``pulumi stack export``, ``pulumi preview --json``, ``kubectl get -o json`` or YAML.

    ``title`` defaults to the file's name. Raises BadInput for a file that holds none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise BadInput(str(path), e.strerror or str(e), "Give a file of Kubernetes objects.") from e
    documents = list(_documents(path, text))
    if not documents:
        raise BadInput(str(path), "it holds no Kubernetes object", "Give the output of pulumi, kubectl or helm.")
    return Subject(title or path.stem, tuple(documents))


def _documents(path: Path, text: str) -> Iterable[Document]:
    if path.suffix != ".json":
        return render.parse([(path.name, text)])
    try:
        data = json.loads(text)
    except json.JSONDecodeError as e:
        raise BadInput(str(path), f"not well-formed: {e}", "Give the whole output.") from e
    if "deployment" in data:
        return _registered(data["deployment"].get("resources") or [], path)
    if "steps" in data:
        return _registered((s["newState"] for s in data["steps"] if "newState" in s), path)
    return as_run(render.parse([(path.name, text)]))


def _registered(resources: Iterable[dict[str, Any]], path: Path) -> Iterator[Document]:
    """The documents among Pulumi's ``resources``, as they were handed to the Kubernetes provider."""
    for r in resources:
        if not r["type"].startswith("kubernetes:") or r.get("delete"):
            continue
        document = {k: v for k, v in (r.get("inputs") or {}).items() if v is not None and not k.startswith("__")}
        if _UNKNOWN in json.dumps(document):
            raise BadInput(
                f"{path}: {r['urn']}", "a field is only known after the update", "Scan the stack once it is up."
            )
        yield _without_secrets(document)


def _without_secrets(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return _HIDDEN if _SECRET in value else {k: _without_secrets(v) for k, v in value.items()}
    return [_without_secrets(v) for v in value] if isinstance(value, list) else value


def as_run(documents: Iterable[Document]) -> list[Document]:
    """``documents`` of a cluster as somebody would have written them; pods of one owner and make are one.

    A pod is called after what owns it, because its own name changes with every start. Pods that are going, or that
    have ended, are left out. A Deployment stands for the pod that it would run, when it runs none: a model at zero.
    """
    found: dict[tuple[str, str], Document] = {}
    for d in documents:
        if d["kind"] == "Deployment" and d["spec"].get("replicas") == 0:
            found.setdefault((key(_asleep(d)), ""), _asleep(d))
        if d["kind"] == "Deployment" or (d["kind"] == "Pod" and not _runs(d)):
            continue
        metadata = {k: v for k, v in d["metadata"].items() if k not in _SET_BY_CLUSTER}
        make = "".join(metadata.get("labels", {}).get(h, "") for h in _HASHES)
        name = owner(d) if d["kind"] == "Pod" else metadata["name"]
        written = {k: v for k, v in d.items() if k != "status"} | {"metadata": {**metadata, "name": name}}
        found.setdefault((key(written), make), written)
    return list(found.values())


def owner(pod: Document) -> str:
    """Name of the workload that ``pod`` belongs to; its own when it belongs to none.

    A ReplicaSet is named after its Deployment with the hash of the template behind it.
    """
    metadata = pod["metadata"]
    owners = [o for o in metadata.get("ownerReferences", []) if o.get("controller")]
    if not owners:
        return str(metadata["name"])
    name = str(owners[0]["name"]).removesuffix("-" + metadata.get("labels", {}).get("pod-template-hash", ""))
    return _without_revision(name, metadata)


def _asleep(deployment: Document) -> Document:
    """The pod that ``deployment`` would run: with the account that admission gives it, without what it injects."""
    template, about = deployment["spec"]["template"], deployment["metadata"]
    labelled = {"labels": {}, **template.get("metadata", {})}
    metadata = {**labelled, "name": _without_revision(about["name"], labelled), "namespace": about["namespace"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"serviceAccountName": "default", **template["spec"]},
    }


def _without_revision(name: str, metadata: Document) -> str:
    """A Knative revision's workload carries its number, which changes with every deployment of a model."""
    return str(metadata.get("labels", {}).get("serving.knative.dev/configuration", name))


def _runs(pod: Document) -> bool:
    phase = pod.get("status", {}).get("phase", "Running")
    return phase not in ("Succeeded", "Failed") and "deletionTimestamp" not in pod["metadata"]
