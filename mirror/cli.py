"""The commands of the mirror: thin; each reads its arguments, calls one function and prints what it returns."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.filesize import decimal

from .bundle import Bundle, Plan
from .errors import BadInput, SealiftError
from .exchange.cli import app as exchange
from .lock import Lock
from .nodeconfig.cli import app as nodeconfig
from .progress import report
from .signing import cli as signing
from .source_map import SourceMap

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Carries a model-serving platform into a cluster without internet, and proves that it works there.",
)
bundle_app = typer.Typer(no_args_is_help=True, help="Make, check and read bundles: what crosses the gap.")
app.add_typer(bundle_app, name="bundle")
app.add_typer(nodeconfig, name="nodeconfig")
app.add_typer(exchange)
app.add_typer(signing.key_app, name="key")
app.add_typer(signing.trust_app, name="trust")
bundle_app.command("sign")(signing.sign)

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


@app.command("licences")
def licences(
    catalog: Annotated[Path, typer.Option(help="Directory of the catalog's *.yaml; its allow list judges.")] = Path(
        "catalog"
    ),
    lock: Annotated[Path | None, typer.Option(help="Judge what this lock carries, not the catalog.")] = None,
    json_: Json = False,
) -> None:
    """Judge each component's licence against the allow list, with the reason; ends with code 5 when one is refused.

    Example: sealift licences --catalog catalog --lock sealift.lock
    """
    from datetime import date

    from . import licence_gate as gate
    from .catalog import Catalog

    rules = Catalog.load(catalog)
    components = gate.of_lock(Lock.read(lock)) if lock else gate.of_catalog(rules)
    verdicts = gate.judge(components, rules.licences, rules.licence_exceptions, date.today())
    rows = "\n".join(f"{'may' if v.allowed else 'MAY NOT'}  {v.component}: {v.licence}: {v.because}" for v in verdicts)
    if not json_:
        print(rows)
    gate.require(verdicts)
    if json_:
        _print({"verdicts": [v.model_dump(mode="json") for v in verdicts]}, "", json_)


@bundle_app.command("create")
def bundle_create(
    lock: LockFile = Path("sealift.lock"),
    source_map: SourceMapFile = None,
    output: Annotated[Path, typer.Option(help="The directory to make.")] = Path("bundle"),
    model_directory: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATH", help="Where the weights of a model from a directory lie.")
    ] = None,
    sign: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Sign it with this release key, once it is whole.")
    ] = None,
    roots: signing.Roots = Path("roots"),
    passphrase_file: signing.Passphrases = None,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Bring everything that the lock names into one directory; run again, it continues.

    Example: sealift bundle create --lock sealift.lock --output bundle

    Example: sealift bundle create --dry-run    (what, and how many bytes)
    """
    from datetime import date

    from . import licence_gate
    from .bundle_create import create
    from .registry import Upstream

    if dry_run:
        lines = Plan.of(Lock.read(lock)).lines()
        rows = [{"kind": k, "reference": r, "size": s} for k, r, s in lines]
        table = "\n".join(f"{k:9}{_bytes(s):>10}  {r}" for k, r, s in lines)
        total = sum(s or 0 for _, _, s in lines)
        _print({"entries": rows, "size": total}, f"{table}\n{len(rows)} entries, at most {decimal(total)}", json_)
        return
    licence_gate.require_unexpired(Lock.read(lock), date.today())
    mapped = SourceMap.read_optional(source_map)
    with report(quiet=json_) as progress:
        made = create(lock, output, Upstream(mapped), mapped, progress, _directories(model_directory or []))
    if sign:
        signing.sign_whole(output, sign, roots, passphrase_file)
    _print(made.contents.model_dump(mode="json"), _summary(made, "made"), json_)


@bundle_app.command("verify")
def bundle_verify(
    bundle: BundlePath,
    lock: Annotated[
        Path | None, typer.Option(help="The lock that was reviewed: a bundle of any other is refused.")
    ] = None,
    root: signing.RootFile = None,
    trust: signing.TrustOption = None,
    json_: Json = False,
) -> None:
    """Read every byte of a bundle and compare it with its lock; needs no network.

    With --root or --trust, who signed it is verified first; without, nothing says who made it.

    Example: sealift bundle verify /media/courier/bundle --lock reviewed/sealift.lock --trust trust
    """
    from .bundle_verify import verify

    _readable(lock)
    signed = signing.verified(bundle, root, trust) if root or trust else None
    with report(quiet=json_) as progress:
        checked = verify(bundle, progress, lock)
    data = {"whole": True, "lock_sha256": checked.contents.lock_sha256, "signed": signed and signed.version}
    _print(data, f"{_summary(checked, 'whole')}, {signing.summary(signed)}", json_)


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
    root: signing.RootFile = None,
    trust: signing.TrustOption = None,
    accept_unsigned_bundle: Annotated[
        bool, typer.Option(help="Load what nobody vouches for: a courier may have changed it.")
    ] = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Send a bundle into the internal registry, ask the registry for every digest, and write the receipt.

    A bundle that is not signed by those whom this site trusts is refused before anything is sent. What failed to
    arrive stands in the receipt as missing; run again, only that is sent.

    Example: sealift load bundle --registry registry.site:5000 --ca-file ca.pem --trust trust --output site
    """
    from . import load as loading
    from .registry import internal

    if not accept_unsigned_bundle:
        signing.verified(bundle, root, trust, accept=not dry_run)
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


@app.command("preflight")
def preflight(
    kubeconfig: Annotated[Path, typer.Option(help="Reaches the cluster that is to be asked.")],
    context: Annotated[str | None, typer.Option(help="Of the kubeconfig, unless its current one.")] = None,
    json_: Json = False,
) -> None:
    """Ask a cluster which way of delivering models it can do: oci+native (image volumes) or storage-initializer.

    Example: sealift preflight --kubeconfig admin.kubeconfig
    """
    from . import preflight as asking

    verdict = asking.judge(asking.ask(kubeconfig, context))
    lines = [f"Kubernetes {verdict.cluster.version}, {len(verdict.cluster.nodes)} nodes", *verdict.reasons]
    _print(verdict.model_dump(mode="json"), "\n".join([*lines, f"models: {verdict.delivery}"]), json_)


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
