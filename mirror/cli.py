"""The commands of the mirror: thin; each reads its arguments, calls one function and prints what it returns."""

from __future__ import annotations

import json
import sys
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer
from rich.filesize import decimal

from .bundle import Bundle, Plan
from .errors import BadInput, SealiftError
from .lock import Lock
from .progress import report
from .protection import Name
from .receipt import Receipt
from .source_map import SourceMap

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Carries a model-serving platform into a cluster without internet, and proves that it works there.",
)
bundle_app = typer.Typer(no_args_is_help=True, help="Make, check and read bundles: what crosses the gap.")
nodeconfig_app = typer.Typer(no_args_is_help=True, help="Write what nodes and the API server need.")
app.add_typer(bundle_app, name="bundle")
app.add_typer(nodeconfig_app, name="nodeconfig")

SourceMapFile = Annotated[
    Path | None,
    typer.Option("--source-map", help="YAML that maps upstream hosts to mirrors, host: scheme://host/path."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, with bytes, and do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")]
LockFile = Annotated[Path, typer.Option("--lock", help="The lock to carry.")]
BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's directory.")]


@app.command("lock")
def lock(
    catalog: Annotated[Path, typer.Option(help="Directory of the catalog's *.yaml.")] = Path("catalog"),
    source_map: SourceMapFile = None,
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("sealift.lock"),
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Resolve the catalog: every tag to a digest, every image found, every licence and size known.

    Example: sealift lock --catalog catalog --output sealift.lock
    """
    from . import resolve
    from .catalog import Catalog
    from .registry import Upstream

    mapped = SourceMap.read_optional(source_map)
    with report(quiet=json_) as progress:
        found = resolve.lock(Catalog.load(catalog), Upstream(mapped), mapped, progress)
    if not dry_run:
        found.write(output)
    size = sum(i.size for i in found.images)
    text = f"{len(found.parts)} parts, {len(found.images)} images ({decimal(size)}), {len(found.models)} models"
    _print(found.model_dump(mode="json"), text, json_)


@bundle_app.command("create")
def bundle_create(
    lock: LockFile = Path("sealift.lock"),
    source_map: SourceMapFile = None,
    output: Annotated[Path, typer.Option(help="The directory to make.")] = Path("bundle"),
    model_directory: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATH", help="Where the weights of a model from a directory lie.")
    ] = None,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Bring everything that the lock names into one directory; run again, it continues.

    Example: sealift bundle create --lock sealift.lock --output bundle

    Example: sealift bundle create --dry-run    (what, and how many bytes)
    """
    from .bundle_create import create
    from .registry import Upstream

    if dry_run:
        lines = Plan.of(Lock.read(lock)).lines()
        rows = [{"kind": k, "reference": r, "size": s} for k, r, s in lines]
        table = "\n".join(f"{k:9}{_bytes(s):>10}  {r}" for k, r, s in lines)
        total = sum(s or 0 for _, _, s in lines)
        _print({"entries": rows, "size": total}, f"{table}\n{len(rows)} entries, at most {decimal(total)}", json_)
        return
    mapped = SourceMap.read_optional(source_map)
    with report(quiet=json_) as progress:
        made = create(lock, output, Upstream(mapped), mapped, progress, _directories(model_directory or []))
    _print(made.contents.model_dump(mode="json"), _summary(made, "made"), json_)


@bundle_app.command("verify")
def bundle_verify(
    bundle: BundlePath,
    lock: Annotated[
        Path | None, typer.Option(help="The lock that was reviewed: a bundle of any other is refused.")
    ] = None,
    json_: Json = False,
) -> None:
    """Read every byte of a bundle and compare it with its lock; needs no network.

    Example: sealift bundle verify /media/courier/bundle --lock reviewed/sealift.lock
    """
    from .bundle_verify import verify

    _readable(lock)
    with report(quiet=json_) as progress:
        checked = verify(bundle, progress, lock)
    _print({"whole": True, "lock_sha256": checked.contents.lock_sha256}, _summary(checked, "whole"), json_)


@bundle_app.command("show")
def bundle_show(bundle: BundlePath, json_: Json = False) -> None:
    """List what a bundle carries, without reading its blobs.

    Example: sealift bundle show bundle
    """
    opened = Bundle.open(bundle)
    rows = [f"{e.kind:9}{decimal(e.size):>10}  {e.reference}@{e.digest}" for e in opened.contents.entries]
    _print(opened.contents.model_dump(mode="json"), "\n".join([*rows, _summary(opened, "whole")]), json_)


@app.command("load")
def load(
    bundle: BundlePath,
    registry: Annotated[str, typer.Option(metavar="HOST[:PORT][/PREFIX]", help="The internal registry.")],
    ca_file: Annotated[
        Path | None, typer.Option(help="PEM of the authority that signed the registry's certificate.")
    ] = None,
    authfile: Annotated[Path | None, typer.Option(help="Credentials, in the form of ~/.docker/config.json.")] = None,
    output: Annotated[Path, typer.Option(help="The site directory: receipt.json and the parts' content.")] = Path(
        "site"
    ),
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Send a bundle into the internal registry, ask the registry for every digest, and write the receipt.

    What failed to arrive stands in the receipt as missing; run again, only that is sent.

    Example: sealift load bundle --registry registry.site:5000 --ca-file ca.pem --output site
    """
    from . import load as loading
    from .registry import internal

    opened = Bundle.open(bundle)
    with report(quiet=json_) as progress, internal(ca_file, authfile) as inside:
        if dry_run:
            deliveries = loading.plan(opened, registry)
            there = loading.present(deliveries, inside)
            rows = [{"target": str(d.target), "size": d.entry.size, "there": d.target in there} for d in deliveries]
            table = "\n".join(
                f"{'there' if r['there'] else 'send':6}{_bytes(r['size']):>10}  {r['target']}" for r in rows
            )
            _print({"entries": rows}, table, json_)
            return
        received = loading.load(opened, registry, inside, output, progress)
    if refused := loading.refused(received):
        raise refused
    arrived = f"{len(received.images)} images, {len(received.models)} models, {len(received.parts)} parts"
    _print(received.model_dump(mode="json"), f"{arrived} in {registry}; receipt in {output}", json_)


@nodeconfig_app.command("containerd")
def nodeconfig_containerd(
    receipt: Annotated[Path, typer.Option(help="The receipt of the load.")] = Path("site/receipt.json"),
    ca_file: Annotated[
        str | None, typer.Option(metavar="PATH_ON_NODE", help="Where the registry's authority lies on the nodes.")
    ] = None,
    output: Annotated[Path, typer.Option(help="The directory to write; containerd's config_path on the nodes.")] = Path(
        "certs.d"
    ),
    json_: Json = False,
) -> None:
    """Write containerd's hosts.toml for every upstream registry, so that nodes pull from inside and nowhere else.

    Example: sealift nodeconfig containerd --ca-file /etc/containerd/site-ca.pem --output certs.d
    """
    from . import nodeconfig

    files = nodeconfig.containerd(Receipt.read(receipt), PurePosixPath(ca_file) if ca_file else None)
    written = nodeconfig.write(files, output)
    _print({"files": [str(p) for p in written]}, "\n".join(map(str, written)), json_)


@nodeconfig_app.command("apiserver")
def nodeconfig_apiserver(
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
    json_: Json = False,
) -> None:
    """Write what the API server needs to encrypt Secrets at rest, to account for what is done, to know its callers.

    Example: sealift nodeconfig apiserver --output apiserver.d
    """
    from . import apiserver

    held = apiserver.kept(output / apiserver.ENCRYPTION)
    keys = held.next(kms=PurePosixPath(kms) if kms else None, another=new_key)
    written = apiserver.write(output, directory=PurePosixPath(directory), log=PurePosixPath(log), keys=keys)
    _print({"files": [str(p) for p in written]}, "\n".join(map(str, written)), json_)


@app.command("preflight")
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
    from . import preflight as asking

    verdict = asking.judge(asking.ask(kubeconfig, context))
    lines = [f"Kubernetes {verdict.cluster.version}, {len(verdict.cluster.nodes)} nodes", *verdict.reasons]
    lines += [f"{p.name}: {p.held} ({p.why})" for p in verdict.cluster.protections]
    if not json_:
        print("\n".join([*lines, f"models: {verdict.delivery}"]))
    asking.guarded(verdict.cluster, without or ())
    if json_:
        print(verdict.model_dump_json(indent=2))


def run(command: typer.Typer, arguments: list[str] | None = None) -> int:
    """Run ``command``; an error that a person can act on is printed, without a traceback, and gives the exit code.

    With ``--json`` it is one JSON object on standard output: error, given, why, instead.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        command(args=given, prog_name="sealift")
    except SealiftError as e:
        if "--json" in given:
            fields = {"error": type(e).__name__, "given": e.given, "why": e.why, "instead": e.instead}
            print(json.dumps(fields))
        else:
            print(f"{e.given}\n  why: {e.why}\n  instead: {e.instead}", file=sys.stderr)
        return e.exit_code
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else 1
    return 0


def _readable(path: Path | None) -> None:
    if path and not path.is_file():
        raise BadInput(str(path), "no such file", "Give a readable file.")


def _directories(given: list[str]) -> dict[str, Path]:
    pairs = [g.partition("=") for g in given]
    if wrong := [g for g, (_, equals, _) in zip(given, pairs, strict=True) if not equals]:
        raise BadInput(wrong[0], "it is not NAME=PATH", "Give --model-directory NAME=PATH.")
    return {name: Path(path) for name, _, path in pairs}


def _summary(bundle: Bundle, what: str) -> str:
    return f"{bundle.layout.path}: {what}, {len(bundle.contents.entries)} entries, lock {bundle.contents.lock_sha256}"


def _bytes(size: Any) -> str:  # noqa: ANN401 - a row's value
    return "?" if size is None else decimal(int(size))


def _print(data: Any, text: str, as_json: bool) -> None:  # noqa: ANN401 - whatever JSON can say
    print(json.dumps(data, indent=2) if as_json else text)
