"""sealift preflight: what a cluster can do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, show


def preflight(
    kubeconfig: Annotated[Path, typer.Option(help="Reaches the cluster that is to be asked.")],
    context: Annotated[str | None, typer.Option(help="Of the kubeconfig, unless its current one.")] = None,
    json_: Json = False,
) -> None:
    """Ask a cluster which way of delivering models it can do: oci+native (image volumes) or storage-initializer.

    Example: sealift preflight --kubeconfig admin.kubeconfig
    """
    from .. import preflight as asking

    verdict = asking.judge(asking.ask(kubeconfig, context))
    lines = [f"Kubernetes {verdict.cluster.version}, {len(verdict.cluster.nodes)} nodes", *verdict.reasons]
    show(verdict.model_dump(mode="json"), "\n".join([*lines, f"models: {verdict.delivery}"]), json_)
