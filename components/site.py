"""What arrived inside, as the components need it: the documents of a part, rendered, hardened, and by digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mirror import discover, render
from mirror.errors import BadInput
from mirror.receipt import Receipt, ReceivedPart, content
from mirror.text import merged

from .availability import available
from .cluster import Cluster
from .documents import Document, owned, placed, without_nulls
from .hardening import hardened
from .least_privilege import trimmed
from .ordering import awaited
from .probes import probed
from .size import SIZES, Size, sized


@dataclass(frozen=True)
class Site:
    """The receipt, the cluster, and what the stack says about both."""

    receipt: Receipt
    origin: Path
    """The receipt's file: content lies beside it."""
    cluster: Cluster
    size: Size = SIZES["standard"]
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Helm values by part, laid over everything else."""

    def documents(self, part: str, values: Mapping[str, Any] | None = None, *, harden: bool = True) -> list[Document]:
        """The documents of ``part``; ``values`` are laid over the catalog's, the stack's over both.

        Namespaces are left out: they are made, with their labels, before anything else. ``harden`` is False for the
        one part that cannot run restricted.
        """
        received = self.receipt.part(part)
        rendered = [placed(without_nulls(d), received.namespace) for d in self._rendered(received, values or {})]
        listed = []
        for document in trimmed(part, rendered):
            if document["kind"] == "Namespace":
                continue
            fitting = sized(probed(hardened(document, restricted=harden)), self.size)
            if fitting is not None:
                listed.append(owned(fitting))
        return available(listed, self.size.replicas)

    def finished(self, document: Document) -> Document:
        """``document`` as it is registered: every image by digest in the internal registry, its wait annotated."""
        return awaited(discover.rewrite(document, self._inside))

    def _rendered(self, part: ReceivedPart, values: Mapping[str, Any]) -> list[Document]:
        files = content(self.origin, part)
        stack = self.values.get(part.name, {})
        if part.kind == "chart":
            laid = merged(merged(part.values, values), stack)
            return render.chart(
                files[0],
                release=part.release or part.name,
                namespace=part.namespace or "default",
                values=laid,
                kubernetes=self.receipt.kubernetes,
            )
        if stack:
            raise BadInput(
                f"values of part {part.name}",
                "it is release YAML and takes no Helm values",
                "Remove them; charts are: " + ", ".join(p.name for p in self.receipt.parts if p.kind == "chart") + ".",
            )
        return render.release(files)

    def _inside(self, text: str) -> str:
        """The name inside of an image that stands in a document; what the lock excludes by its text stays."""
        if any(text == e.value for e in self.receipt.exclusions):
            return text
        if any(text == m.mirrored for m in self.receipt.models):
            return text  # weights, which an InferenceService names as an image
        return str(self.receipt.image(text))
