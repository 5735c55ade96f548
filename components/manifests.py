"""Documents as Pulumi resources: one each, in an order that works, through the one transform that names images."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from mirror.errors import SealiftError

from .cluster import wait_until_answered
from .documents import Document, key
from .ordering import guarded_by_webhooks, in_ranks
from .site import Site

# The engine starts one provider process for each version that is asked for: ask for the SDK's.
_VERSION = importlib.metadata.version("pulumi-kubernetes")


class Object(pulumi.CustomResource):
    """Any Kubernetes object. Its attributes are the document's top-level fields and ``status``, as outputs."""

    def __init__(self, document: Document, opts: pulumi.ResourceOptions) -> None:
        version = document["apiVersion"] if "/" in document["apiVersion"] else f"core/{document['apiVersion']}"
        super().__init__(
            f"kubernetes:{version}:{document['kind']}",
            key(document),
            {"status": None, **document},
            pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version=_VERSION), opts),
        )
        self.document = document


@dataclass(frozen=True)
class Registered:
    """What came of a set of documents."""

    objects: dict[str, Object] = field(default_factory=dict)
    """By key (``kind/namespace/name``)."""
    ready: list[pulumi.Resource] = field(default_factory=list)
    """What to depend on to come after all of them."""


def register(
    site: Site,
    documents: Iterable[Document],
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource] = (),
    *,
    guarded: bool = False,
) -> Registered:
    """Register ``documents`` under ``parent``, after ``after``, rank by rank.

    ``guarded`` says that webhooks of an earlier part judge them: the first rank then waits until these answer.
    """
    objects: dict[str, Object] = {}
    earlier = list(after)
    for documents_of_rank in in_ranks(site.finished(d) for d in documents):
        depends: Any = _answered(site, documents_of_rank, earlier) if guarded else earlier
        current: list[pulumi.Resource] = []
        for document in documents_of_rank:
            if key(document) in objects:
                raise KeyError(f"{key(document)} is in the documents twice")
            made = Object(document, pulumi.ResourceOptions(parent=parent, depends_on=depends))
            objects[key(document)] = made
            current.append(made)
        earlier, guarded = current, guarded_by_webhooks(documents_of_rank)
    return Registered(objects, earlier)


def _answered(site: Site, documents: list[Document], after: list[pulumi.Resource]) -> Any:  # noqa: ANN401 - Input of list
    """``after``, as an output that resolves once the webhooks of ``documents`` answer. A preview does not wait."""
    if pulumi.runtime.is_dry_run() or not after:
        return after

    async def wait(_: Any) -> list[pulumi.Resource]:  # noqa: ANN401
        try:
            await asyncio.to_thread(wait_until_answered, site.cluster, documents)
        except SealiftError as e:
            raise pulumi.RunError(f"{e}\n{e.instead}") from e
        return after

    return pulumi.Output.all(*(r.urn for r in after)).apply(wait)
