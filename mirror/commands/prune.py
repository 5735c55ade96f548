"""sealift prune: old content out of the registry inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..progress import report
from .options import AuthFile, CaFile, DryRun, Json, PlainHttp, show


def prune(
    keep: Annotated[int, typer.Option(min=1, help="How many of the last bundles' receipts are kept.")],
    site: Annotated[
        Path, typer.Option(help="The site directory, with the receipts of this and of earlier loads.")
    ] = Path("site"),
    kubeconfig: Annotated[
        list[Path] | None, typer.Option(help="Of each cluster that pulls from the registry: its pods are asked for.")
    ] = None,
    without_asking_clusters: Annotated[
        bool, typer.Option(help="Do not ask what runs: an image of a running pod may be removed.")
    ] = False,
    ca_file: CaFile = None,
    authfile: AuthFile = None,
    allow_plain_http: PlainHttp = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Remove from the registry what only receipts name that are no longer kept; refused while a pod uses any of it.

    Example: sealift prune --keep 2 --site site --kubeconfig admin.kubeconfig --dry-run
    """
    from ..errors import BadInput
    from ..prune import carry_out, plan, running_digests
    from ..registry import internal

    if not kubeconfig and not without_asking_clusters:
        raise BadInput("prune", "no cluster was named", "Give --kubeconfig, or --without-asking-clusters on purpose.")
    planned = plan(site, keep)
    planned.refuse_used(running_digests(kubeconfig or []))
    if not dry_run:
        with report(events=json_) as progress, internal(ca_file, authfile, plain=allow_plain_http) as inside:
            carry_out(planned, inside, progress)
    what = "would go" if dry_run else "gone"
    lines = [
        *(str(r) for r in planned.remove),
        f"{len(planned.remove)} {what}, {len(planned.receipts)} receipts with them",
    ]
    data = {
        "remove": [str(r) for r in planned.remove],
        "receipts": [str(p) for p in planned.receipts],
        "done": not dry_run,
    }
    show(data, "\n".join(lines), json_)
