"""``sealift batch``: answer a batch file through the gateway."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from mirror.errors import BadInput, ChecksFailed

KEY = "OPENAI_API_KEY"
_RETRIES = 8
"""With the client's own pauses (up to 8 s each, or what the gateway asks for) about a minute."""
_PATIENCE = 3600
"""Seconds for one answer, the longest that a model may be given: its first replica may have to start."""

app = typer.Typer(no_args_is_help=True)


@app.command()
def batch(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Requests: an OpenAI batch file (JSON lines).")],
    url: Annotated[str, typer.Option(help="Base URL of the model's API, from `pulumi stack output`: https://.../v1.")],
    output: Annotated[Path, typer.Option(help="Where the results go, one line for each request.")],
    ca_file: Annotated[Path | None, typer.Option(help="PEM of the authority of the gateway's certificate.")] = None,
    at_once: Annotated[int, typer.Option(min=1, max=256, help="Requests under way at a time.")] = 8,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many would be asked, and ask nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the count as JSON.")] = False,
) -> None:
    """Answer an OpenAI batch file with the API key in $OPENAI_API_KEY. Interrupted and run again, it goes on.

    Exit code 12 when a request did not succeed; its result says why.

    Example: OPENAI_API_KEY=$(cat key) sealift batch questions.jsonl --url https://chat-models.ai.example.com/v1
    --ca-file platform-ca.pem --output answers.jsonl
    """
    import ssl

    import httpx2
    import openai

    from .file import read
    from .run import ask, run, unanswered

    if dry_run:
        asked = read(file)
        left = {"requests": len(asked), "to ask": len(unanswered(asked, output))}
        print(json.dumps(left) if as_json else f"{left['to ask']} of {left['requests']} would be asked of {url}")
        return
    api_key = os.environ.get(KEY)  # not an argument: those are seen by others
    if not api_key:
        raise BadInput(f"${KEY}", "it is not set", f"{KEY}=$(cat FILE) sealift batch ...")
    requests = read(file)
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as e:
        raise BadInput(f"--ca-file {ca_file}", str(e), "Give a PEM file with the authority's certificate.") from e
    limits = httpx2.Timeout(_PATIENCE, connect=10)
    with openai.OpenAI(
        base_url=url,
        api_key=api_key,
        max_retries=_RETRIES,
        timeout=limits,
        http_client=httpx2.Client(verify=context, timeout=limits),
    ) as client:
        results = run(requests, lambda r: ask(client, r), output, at_once=at_once)
    count = Counter("succeeded" if r.succeeded else "failed" for r in results)
    said = {"requests": len(results), "succeeded": count["succeeded"], "failed": count["failed"]}
    print(json.dumps(said) if as_json else f"{output}: {said['succeeded']} of {said['requests']} succeeded")
    if count["failed"]:
        first = next(r for r in results if not r.succeeded)
        why = first.error.message if first.error else f"HTTP {first.response.status_code}" if first.response else ""
        raise ChecksFailed(
            str(file), f"{count['failed']} failed, the first ({first.custom_id}) with: {why}", f"See {output}."
        )
