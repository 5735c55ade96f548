"""sealift preflight: what a cluster can do, and how it protects Secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..protection import Name
from .options import Json


def preflight(
    kubeconfig: Annotated[Path, typer.Option(help="Reaches the cluster that is to be asked.")],
    context: Annotated[str | None, typer.Option(help="Of the kubeconfig, unless its current one.")] = None,
    without: Annotated[
        list[Name] | None, typer.Option(help="Go on although this protection is known not to hold. Repeatable.")
    ] = None,
    json_: Json = False,
) -> None:
    """Ask a cluster how it can receive models (oci+native or storage-initializer), and how it protects Secrets.

    Exit code 12 when Secrets are known to be stored in the clear, nothing is audited, or callers need no name.

    Example: sealift preflight --kubeconfig admin.kubeconfig
    """
    from .. import preflight as asking

    verdict = asking.judge(asking.ask(kubeconfig, context))
    lines = [f"Kubernetes {verdict.cluster.version}, {len(verdict.cluster.nodes)} nodes", *verdict.reasons]
    lines += [f"{p.name}: {p.held} ({p.why})" for p in verdict.cluster.protections]
    if not json_:
        print("\n".join([*lines, f"models: {verdict.delivery}"]))
    asking.guarded(verdict.cluster, without or ())
    if json_:
        print(json.dumps(verdict.data(), indent=2))
