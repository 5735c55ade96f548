"""Bringing a model's file from its hub or directory straight into the layer that carries it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit

from .bundle_plan import Weights
from .distribution.endpoint import Client
from .distribution.pull import Fetch, Target
from .errors import BadInput, Damaged, RegistryRefused
from .growing import Growing
from .layout import Descriptor
from .model_image import LayerTarget
from .reference import Reference
from .registry import Source
from .source_map import SourceMap
from .web import read


def bring(
    weights: Weights, layer: Growing, source: Source, client: Client, source_map: SourceMap, directory: Path | None
) -> Descriptor:
    """Fill ``layer`` with the file of ``weights``, going on where an earlier run stopped; gives the layer.

    ``directory`` holds the model when it comes from one. Raises Damaged when the file is not the locked one,
    NotUpstream, RegistryRefused, NoSpace.
    """
    target, file = LayerTarget(weights.file, layer), weights.file
    if directory:
        read(directory / file.name, file, target)
        return target.finish()
    bring_raw(weights, target, source, client, source_map)
    return target.finish()


def bring_raw(weights: Weights, target: Target, source: Source, client: Client, source_map: SourceMap) -> None:
    """Bring the file of ``weights`` as it is into ``target``, from its hub or registry; raises as ``bring`` does."""
    file = weights.file
    if weights.model.source == "oci":  # A layer of the artifact is the file.
        d = Descriptor("", f"sha256:{file.sha256}", file.size)
        source.fetch(Reference.parse(weights.model.origin), d, target)
        return
    fetch = _from_hub(weights, client, source_map)
    try:
        found = fetch.exactly(f"sha256:{file.sha256}", target)
    except RegistryRefused as e:
        if "status 401" in e.why or "status 403" in e.why:
            instead = "Accept the model's terms on the hub and log in (hf auth login)."
            raise RegistryRefused(e.given, e.why, instead) from e
        raise
    if found != f"sha256:{file.sha256}":
        raise Damaged(
            str(weights),
            f"sha256 is {found.partition(':')[2]}, the lock says {file.sha256}",
            "Lock again and review the difference, or fetch from a hub that has the locked file.",
        )


def _from_hub(weights: Weights, client: Client, source_map: SourceMap) -> Fetch:
    host, _, repository = weights.model.origin.partition("/")
    url = urlsplit(source_map.hub(host))
    endpoint = client.endpoint(url.netloc, plain=url.scheme == "http")
    path = f"{url.path.rstrip('/')}/{repository}/resolve/{weights.model.revision}/{quote(weights.file.name)}"
    fetch = Fetch(
        endpoint, path, weights.file.size, f"{weights.model.origin}@{weights.model.revision} {weights.file.name}"
    )
    if url.scheme == "https" and (token := _token()):
        fetch.headers["Authorization"] = f"Bearer {token}"
    return fetch


def _token() -> str | None:
    """The person's own token of the hub, which goes over TLS only."""
    from huggingface_hub import get_token

    return get_token()


def check_given(models: dict[str, str], directories: dict[str, Path]) -> None:
    """Raise BadInput for a model (name -> origin) that comes from a directory which was not given."""
    for name, origin in models.items():
        if origin == f"directory/{name}" and name not in directories:
            raise BadInput(
                f"model {name}",
                "it comes from a directory, and the lock does not say where that lies here",
                f"Give --model-directory {name}=PATH.",
            )
