"""The one render: charts and release YAML become manifests here, for the lock's discovery and for what is applied.

Nothing else of Helm is used: no release, no repository, no cluster. Hooks are Helm's own life cycle, which nobody
runs here, so a chart that renders one is refused rather than applied without it; test hooks are left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from .errors import BadInput, ToolMissing
from .text import Dumper, shallow
from .text import Loader as StrictLoader

Document = dict[str, Any]

_PASSED_ON = ("PATH", "TMPDIR", "LANG", "LC_ALL")
MOST_NODES = 5_000_000
"""Values in one file of manifests; KServe's CRDs, the largest known, have a tenth of it."""
_HOOK = "helm.sh/hook"


class ManifestLoader(StrictLoader):  # type: ignore[misc,valid-type]
    """YAML as Kubernetes reads it: dates and ``=`` stay strings, and ``12:30`` is no base-60 number.

    Source: sigs.k8s.io/yaml, which knows no timestamps when it converts to JSON, no sexagesimals and no ``=`` type.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("timestamp", "value")]
        for first, resolvers in StrictLoader.yaml_implicit_resolvers.items()
    }


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | float | str:
    """PyYAML's own numbers, but a base-60 one is the string that it looks like."""
    text = str(node.value)
    if ":" in text:
        return text
    constructor = yaml.SafeLoader.yaml_constructors[node.tag]
    return constructor(loader, node)  # type: ignore[no-any-return]


for _tag in ("int", "float"):
    ManifestLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _number)


def chart(archive: Path, *, release: str, namespace: str, values: dict[str, Any], kubernetes: str) -> list[Document]:
    """The manifests of the chart in ``archive`` (.tgz), CRDs first, as ``helm template`` renders them offline.

    ``kubernetes`` is the version that the chart sees, as ``1.34``. Raises ToolMissing without helm or when it
    refuses the chart, BadInput for a hook and for what ``parse`` refuses.
    """
    with tempfile.TemporaryDirectory(prefix="sealift-render-") as scratch:
        given = Path(scratch) / "values.yaml"
        given.write_text(yaml.dump(values, Dumper=Dumper), encoding="utf-8")
        command = ["helm", "template", release, str(archive), "--namespace", namespace, "--values", str(given)]
        command += ["--kube-version", kubernetes, "--include-crds", "--skip-tests"]
        text = _helm(command, Path(scratch))
    documents = parse([(archive.name, text)])
    for d in documents:
        if _HOOK in (d["metadata"].get("annotations") or {}):
            raise BadInput(
                f"chart {archive.name}",
                f"{title(d)} is a Helm hook ({d['metadata']['annotations'][_HOOK]}), which nothing would run",
                "Switch it off by a value of the chart; what it does must be done by an ordinary object or a check.",
            )
    return documents


def release(paths: Iterable[Path]) -> list[Document]:
    """The manifests of release YAML, file after file; raises BadInput for what ``parse`` refuses."""
    return parse([(p.name, _text(p.name, p.read_bytes())) for p in paths])


def parse(files: Iterable[tuple[str, str]]) -> list[Document]:
    """The documents of ``(name, text)`` files: Lists flattened, empty ones dropped.

    An object that stands twice word for word is kept once (Knative's CRDs are in two of its files). Raises
    BadInput for two different objects of one name, and for what is no Kubernetes object.
    """
    seen: dict[tuple[str, ...], Document] = {}
    for name, text in files:
        for d in _objects(name, text):
            key = (
                d["apiVersion"].rpartition("/")[0],
                d["kind"],
                d["metadata"].get("namespace", ""),
                d["metadata"]["name"],
            )
            if seen.setdefault(key, d) != d:
                raise BadInput(name, f"{title(d)} stands twice, and differently", "Leave out one of the two.")
    return list(seen.values())


def title(document: Document) -> str:
    """``Kind/name``, as messages and the lock name an object."""
    return f"{document['kind']}/{document['metadata']['name']}"


def _nodes(value: Any, known: dict[int, int]) -> int:  # noqa: ANN401 - any YAML
    """How many values ``value`` is when each alias is written out; counted without writing them out.

    YAML's aliases make a few lines stand for billions of values, and whoever walks them never ends.
    """
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_nodes(v, known) for v in inner)
    return known[id(value)]


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as e:
        raise BadInput(name, f"it is no text: {e}", "Take the file as upstream publishes it.") from e


def _objects(name: str, text: str) -> Iterable[Document]:
    try:
        loaded = list(yaml.load_all(shallow(text), ManifestLoader))
        if _nodes(loaded, {}) > MOST_NODES:
            raise BadInput(name, f"its aliases stand for more than {MOST_NODES:,} values", "Do not use this file.")
    except yaml.YAMLError as e:
        raise BadInput(name, f"not well-formed YAML: {e}", "Take the file as upstream publishes it.") from e
    except RecursionError as e:
        raise BadInput(name, "it is nested without end", "Do not use this file.") from e
    for number, d in enumerate(loaded, 1):
        yield from _flatten(f"{name}, document {number}", d)


def _flatten(origin: str, document: object) -> Iterable[Document]:
    if document is None or document == {}:
        return
    if not isinstance(document, dict):
        raise BadInput(origin, "it is no mapping", "Give Kubernetes manifests.")
    kind = document.get("kind")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(document.get("items"), list):
        for number, item in enumerate(document["items"], 1):
            yield from _flatten(f"{origin}, item {number}", item)
        return
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    for field, value in (("apiVersion", document.get("apiVersion")), ("kind", kind), ("metadata.name", name)):
        if not isinstance(value, str) or not value:
            raise BadInput(origin, f"it has no {field}", "Give Kubernetes manifests; every object needs a fixed name.")
    yield document


def _helm(command: list[str], scratch: Path) -> str:
    """Run helm with a home of its own and nothing of the caller's: no repository, plugin or kubeconfig is seen."""
    environment = {k: v for k, v in os.environ.items() if k in _PASSED_ON}
    for what in ("CACHE_HOME", "CONFIG_HOME", "DATA_HOME", "PLUGINS"):
        environment[f"HELM_{what}"] = str(scratch / what.lower())
    environment |= {"HOME": str(scratch), "KUBECONFIG": str(scratch / "no-kubeconfig")}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
    except FileNotFoundError as e:
        raise ToolMissing("helm", "it is not on PATH", "Install Helm 3; the bundle's tools hold one.") from e
    if done.returncode:
        said = re.sub(r"\s+", " ", done.stderr.decode(errors="replace")).strip()
        why = said or f"it ended with status {done.returncode}"
        raise ToolMissing(f"helm template {command[2]} {Path(command[3]).name}", why, "Mend the chart's values.")
    return _text(Path(command[3]).name, done.stdout)
