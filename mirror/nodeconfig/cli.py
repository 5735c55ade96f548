"""``sealift nodeconfig``: thin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from .. import apiserver
from ..errors import BadInput
from ..receipt import Receipt
from . import containerd, crio, k3s, openshift
from .places import Places, write

app = typer.Typer(no_args_is_help=True, help="Write what nodes and the API server need.")

ReceiptFile = Annotated[Path, typer.Option("--receipt", help="The receipt of the load.")]
CaFile = Annotated[
    str | None,
    typer.Option("--ca-file", metavar="PATH_ON_NODE", help="Where the registry's authority lies on the nodes."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print which files would be written, and write none.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")]


@app.command("containerd")
def write_containerd(
    receipt: ReceiptFile = Path("site/receipt.json"),
    ca_file: CaFile = None,
    output: Annotated[Path, typer.Option(help="The directory to write; containerd's config_path on the nodes.")] = Path(
        "certs.d"
    ),
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Write containerd's hosts.toml for every upstream registry, so that nodes pull from inside and nowhere else.

    Example: sealift nodeconfig containerd --ca-file /etc/containerd/site-ca.pem --output certs.d
    """
    _write(containerd.files(_places(receipt), _on_node(ca_file)), output, json_, dry_run=dry_run)


@app.command("k3s")
def write_k3s(
    receipt: ReceiptFile = Path("site/receipt.json"),
    ca_file: CaFile = None,
    output: Annotated[Path, typer.Option(help="The directory to write; /etc/rancher/k3s or rke2 on the nodes.")] = Path(
        "rancher"
    ),
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Write registries.yaml for K3s and RKE2, and the setting that keeps them from asking outside.

    Example: sealift nodeconfig k3s --ca-file /etc/ssl/site-ca.pem --output rancher
    """
    _write(k3s.files(_places(receipt), _on_node(ca_file)), output, json_, dry_run=dry_run)


@app.command("openshift")
def write_openshift(
    receipt: ReceiptFile = Path("site/receipt.json"),
    ca_pem: Annotated[Path | None, typer.Option(help="PEM of the registry's authority, to be trusted.")] = None,
    output: Annotated[Path, typer.Option(help="The directory to write; for oc apply --filename.")] = Path("openshift"),
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Write ImageDigestMirrorSet and ImageTagMirrorSet, and the trust in the registry's authority.

    Example: sealift nodeconfig openshift --ca-pem ca.pem --output openshift
    """
    if ca_pem and not ca_pem.is_file():
        raise BadInput(str(ca_pem), "no such file", "Give a readable PEM file.")
    _write(openshift.files(_places(receipt), ca_pem.read_text() if ca_pem else None), output, json_, dry_run=dry_run)


@app.command("crio")
def write_crio(
    receipt: ReceiptFile = Path("site/receipt.json"),
    output: Annotated[Path, typer.Option(help="The directory to write; /etc/containers on the nodes.")] = Path(
        "containers"
    ),
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Write registries.conf for CRI-O, podman and skopeo.

    Example: sealift nodeconfig crio --output containers
    """
    _write(crio.files(_places(receipt)), output, json_, dry_run=dry_run)


@app.command("apiserver")
def write_apiserver(
    output: Annotated[Path, typer.Option(help="The directory to write; keys that lie there already are kept.")] = Path(
        "apiserver.d"
    ),
    directory: Annotated[
        str, typer.Option(metavar="PATH_ON_NODE", help="Where the files will lie on the control plane's nodes.")
    ] = "/etc/kubernetes/sealift",
    log: Annotated[
        str, typer.Option(metavar="PATH_ON_NODE", help="Where the API server writes its account of what was done.")
    ] = "/var/log/kubernetes/audit.log",
    kms: Annotated[
        str | None, typer.Option(metavar="PATH_ON_NODE", help="Socket of a KMS v2 plugin, to hold the keys instead.")
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Encrypt with a new key from now on; the old ones still decrypt.")
    ] = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Write what the API server needs to encrypt Secrets at rest, to account for what is done, to know its callers.

    Example: sealift nodeconfig apiserver --output apiserver.d
    """
    held = apiserver.kept(output / apiserver.ENCRYPTION)
    keys = held.next(kms=PurePosixPath(kms) if kms else None, another=new_key)
    if dry_run:
        _said([str(output / n) for n in apiserver.FILES], json_, dry_run=True)
        return
    written = apiserver.write(output, directory=PurePosixPath(directory), log=PurePosixPath(log), keys=keys)
    _said([str(p) for p in written], json_)


def _places(receipt: Path) -> Places:
    return Places.of(Receipt.read(receipt))


def _on_node(path: str | None) -> PurePosixPath | None:
    return PurePosixPath(path) if path else None


def _write(files: Mapping[str, str], output: Path, as_json: bool, *, dry_run: bool) -> None:
    paths = [output / n for n in files] if dry_run else write(files, output)
    _said([str(p) for p in paths], as_json, dry_run=dry_run)


def _said(written: list[str], as_json: bool, *, dry_run: bool = False) -> None:
    lines = [f"would write {w}" for w in written] if dry_run else written
    print(json.dumps({"files": written}, indent=2) if as_json else "\n".join(lines))
