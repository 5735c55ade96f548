"""``sealift scan``: scanners over what a stack registers and over what runs, held against the accepted exceptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer()


@app.command()
def scan(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Output of `pulumi stack export`, `pulumi preview --json`, `kubectl get -o json`, or YAML."
        ),
    ],
    openapi: Annotated[Path, typer.Option(help="What `kubectl get --raw /openapi/v2` printed.")],
    exceptions: Annotated[Path, typer.Option(help="Accepted findings.")] = Path("policies/exceptions.yaml"),
    output: Annotated[Path, typer.Option(help="Directory for scan.json.")] = Path("scan"),
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Exceptions may speak of objects and findings that those given do not have."),
    ] = False,
) -> None:
    """Scan Kubernetes objects with checkov, KICS and kubeconform, offline. Exit code 12 when something is open.

    Each file is one set of objects that belong together, called by the file's name.

    Example: sealift scan dev.json dev-pods.json --openapi openapi.json --output evidence
    """
    from . import run

    console = Console(highlight=False, soft_wrap=True)
    record = run.run(
        files, json.loads(openapi.read_text(encoding="utf-8")), exceptions, partial=partial, say=console.print
    )
    record.write(output / run.RECORD)
    run.tell(record, console)
