"""``sealift nodeconfig``: thin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from ..errors import BadInput
from ..receipt import Receipt
from . import containerd, crio, k3s, openshift
from .places import Places, write

app = typer.Typer(no_args_is_help=True, help="Write what nodes need to pull from the internal registry.")

ReceiptFile = Annotated[Path, typer.Option("--receipt", help="The receipt of the load.")]
CaFile = Annotated[
    str | None,
    typer.Option("--ca-file", metavar="PATH_ON_NODE", help="Where the registry's authority lies on the nodes."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")]


@app.command("containerd")
def write_containerd(
    receipt: ReceiptFile = Path("site/receipt.json"),
    ca_file: CaFile = None,
    output: Annotated[Path, typer.Option(help="The directory to write; containerd's config_path on the nodes.")] = Path(
        "certs.d"
    ),
    json_: Json = False,
) -> None:
    """Write containerd's hosts.toml for every upstream registry, so that nodes pull from inside and nowhere else.

    Example: sealift nodeconfig containerd --ca-file /etc/containerd/site-ca.pem --output certs.d
    """
    _write(containerd.files(_places(receipt), _on_node(ca_file)), output, json_)


@app.command("k3s")
def write_k3s(
    receipt: ReceiptFile = Path("site/receipt.json"),
    ca_file: CaFile = None,
    output: Annotated[Path, typer.Option(help="The directory to write; /etc/rancher/k3s or rke2 on the nodes.")] = Path(
        "rancher"
    ),
    json_: Json = False,
) -> None:
    """Write registries.yaml for K3s and RKE2, and the setting that keeps them from asking outside.

    Example: sealift nodeconfig k3s --ca-file /etc/ssl/site-ca.pem --output rancher
    """
    _write(k3s.files(_places(receipt), _on_node(ca_file)), output, json_)


@app.command("openshift")
def write_openshift(
    receipt: ReceiptFile = Path("site/receipt.json"),
    ca_pem: Annotated[Path | None, typer.Option(help="PEM of the registry's authority, to be trusted.")] = None,
    output: Annotated[Path, typer.Option(help="The directory to write; for oc apply --filename.")] = Path("openshift"),
    json_: Json = False,
) -> None:
    """Write ImageDigestMirrorSet and ImageTagMirrorSet, and the trust in the registry's authority.

    Example: sealift nodeconfig openshift --ca-pem ca.pem --output openshift
    """
    if ca_pem and not ca_pem.is_file():
        raise BadInput(str(ca_pem), "no such file", "Give a readable PEM file.")
    _write(openshift.files(_places(receipt), ca_pem.read_text() if ca_pem else None), output, json_)


@app.command("crio")
def write_crio(
    receipt: ReceiptFile = Path("site/receipt.json"),
    output: Annotated[Path, typer.Option(help="The directory to write; /etc/containers on the nodes.")] = Path(
        "containers"
    ),
    json_: Json = False,
) -> None:
    """Write registries.conf for CRI-O, podman and skopeo.

    Example: sealift nodeconfig crio --output containers
    """
    _write(crio.files(_places(receipt)), output, json_)


def _places(receipt: Path) -> Places:
    return Places.of(Receipt.read(receipt))


def _on_node(path: str | None) -> PurePosixPath | None:
    return PurePosixPath(path) if path else None


def _write(files: Mapping[str, str], output: Path, as_json: bool) -> None:
    written = [str(p) for p in write(files, output)]
    print(json.dumps({"files": written}, indent=2) if as_json else "\n".join(written))
