"""Loading a bundle into the internal registry, and writing the site directory that everything after it reads."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from . import unchanged
from .atomic import write_bytes_atomically
from .bundle import Bundle, Entry
from .errors import BadInput, Damaged, RegistryRefused, WrongTarget
from .layout import FOR_OPERATORS, RECEIPT, RECEIPTS, UPLOADS, Descriptor
from .lock import LockedRuntime
from .parallel import each
from .progress import Report
from .receipt import Missing, Receipt, ReceivedImage, ReceivedModel, ReceivedRuntime
from .reference import Reference, delivered, mirrored
from .registry import ASKERS, Internal
from .sending import Outgoing, Sending, shipment
from .site import write_part
from .upload_journal import Journal

# What judges upstream's signatures is imported when there are rules: a load of nothing new starts sooner.
if TYPE_CHECKING:
    from .evidence.judge import Verdict

Asked = Future[set[Reference]]
"""What the registry holds, where it has been asked already (unchanged.asked)."""


class Delivery(Struct, frozen=True):
    """An entry and where it goes."""

    entry: Entry
    target: Reference
    """The mirrored name, by digest: what the receipt says."""
    tagged: Reference
    """The name that is pushed: with upstream's tag, or ``at-<12 hex digits>`` where upstream has none.

    A registry that collects garbage keeps what a tag names.
    """

    @classmethod
    def of(cls, entry: Entry, registry: str) -> Delivery:
        """Where ``entry`` goes in ``registry`` (``host[:port][/prefix]``)."""
        has_tag = ":" in entry.reference.rpartition("/")[2]
        target = delivered(entry.reference, entry.digest, registry)
        tag = target.tag if has_tag else f"at-{entry.digest.partition(':')[2][:12]}"
        return cls(entry, target.pinned(), Reference(target.registry, target.repository, tag))


def plan(bundle: Bundle, registry: str) -> list[Delivery]:
    """Where everything in ``bundle`` goes, but for what is for operators' machines.

    Raises BadInput when ``registry`` is no ``host[:port][/prefix]``.
    """
    if Reference.parse(f"{registry}/name").registry != registry.partition("/")[0]:
        raise BadInput(
            f"registry {registry!r}", "it is no host", "Give host[:port][/prefix], such as registry.site:5000."
        )
    return [Delivery.of(e, registry) for e in bundle.contents.entries if e.kind != FOR_OPERATORS]


def load(
    bundle: Bundle, registry: str, internal: Internal, site: Path, report: Report, asked: Asked | None = None
) -> Receipt:
    """Send what ``registry`` lacks, ask it for each digest, and write ``site``: content first, receipt.json last.

    What did not arrive stands in the receipt's ``missing``; the rest is loaded all the same, and another run continues.
    Raises RegistryRefused when the registry cannot be asked at all, before anything is sent, and NoSpace.
    """
    deliveries = plan(bundle, registry)
    there = present(deliveries, internal, asked)
    absent = [d for d in deliveries if d.target not in there]
    report.say(f"{len(there)} of {len(deliveries)} are there already")
    missing = _send(bundle, registry, absent, internal, site, report) if absent else []
    signed = _signed(bundle, registry, internal, {m.reference for m in missing}, report)
    missing += [Missing(reference=v.image, why=v.because) for v in signed.values() if not v.signed]
    received = receipt(bundle, registry, deliveries, missing, site, signed)
    keep_last(site, received)
    received.write(site / RECEIPT)
    if not missing and not bundle.lock.signature_rules:  # By rules, upstream's signatures are judged each time.
        unchanged.note(bundle.layout.path, registry, site)
    return received


def present(deliveries: list[Delivery], internal: Internal, asked: Asked | None = None) -> set[Reference]:
    """The targets that the registry holds already, byte for byte; raises RegistryRefused."""
    return asked.result() if asked else internal.held([d.target for d in deliveries])


def refused(receipt: Receipt) -> RegistryRefused | None:
    """The error that a receipt with missing entries amounts to, or None."""
    if not receipt.missing:
        return None
    named = "; ".join(f"{m.reference}: {m.why}" for m in receipt.missing)
    return RegistryRefused(
        f"{len(receipt.missing)} entries did not arrive in {receipt.registry}", named, "Run sealift load again."
    )


def receipt(
    bundle: Bundle,
    registry: str,
    deliveries: list[Delivery],
    missing: list[Missing],
    site: Path,
    signed: Mapping[str, Verdict],
) -> Receipt:
    """The receipt of what arrived; writes the parts' charts and YAML below ``site``."""
    lost = {m.reference for m in missing}
    arrived = {d.entry.reference: d for d in deliveries if d.entry.reference not in lost}
    return Receipt(
        registry=registry,
        bundle=bundle.contents.lock_sha256,
        kubernetes=bundle.lock.kubernetes,
        images=[
            ReceivedImage(
                reference=i.reference,
                digest=i.digest,
                upstream_digest=i.upstream_digest,
                mirrored=str(arrived[i.reference].target),
                size=i.size,
                signature=signed[i.reference].because if i.reference in signed else None,
            )
            for i in bundle.lock.images
            if i.reference in arrived
        ],
        models=[
            ReceivedModel(
                name=m.name,
                origin=m.origin,
                revision=m.revision,
                licence=m.licence,
                digest=arrived[m.reference].entry.digest,
                mirrored=str(arrived[m.reference].target),
                size=sum(f.size for f in m.files),
            )
            for m in bundle.lock.models
            if m.reference in arrived
        ],
        parts=[write_part(bundle, p, site) for p in bundle.lock.parts],
        runtimes=[_runtime(r) for r in bundle.lock.runtimes],
        exclusions=bundle.lock.exclusions,
        missing=missing,
    )


def _signed(bundle: Bundle, registry: str, internal: Internal, lost: set[str], report: Report) -> dict[str, Verdict]:
    """The verdict on the images that arrived, by the evidence as the registry now has it; none without rules."""
    if not bundle.lock.signature_rules:
        return {}
    report.say("upstream's signatures, read back from the registry")
    from .evidence.judge import Judge, verdicts
    from .evidence.reader import FromInternal

    judge = Judge(bundle.lock.signature_rules, bundle.lock.trusted_root)
    arrived = [i for i in bundle.lock.images if i.reference not in lost]
    found = verdicts(judge, arrived, lambda name: mirrored(name, registry), FromInternal(internal))
    return {v.image: v for v in found}


def _runtime(r: LockedRuntime) -> ReceivedRuntime:
    return ReceivedRuntime(name=r.name, engine=r.engine, accelerator=r.accelerator, image=r.image)


def _send(
    bundle: Bundle, registry: str, absent: list[Delivery], internal: Internal, site: Path, report: Report
) -> list[Missing]:
    held = left_out(bundle, registry, internal, absent)
    outgoing: dict[Outgoing, Delivery] = {}
    missing: dict[str, str] = {}
    for d in absent:
        try:
            item = Outgoing(bundle.descriptor(d.entry), d.target, d.tagged)
            bundle.layout.walk(item.top)
            outgoing[item] = d
        except Damaged as e:
            missing[d.entry.reference] = f"{e.given}: {e.why}"
    internal.locations = Journal(site / UPLOADS)
    lost = Sending(internal, bundle.layout, report, held).run(shipment(bundle.layout, outgoing))
    missing |= {outgoing[item].entry.reference: why for item, why in lost.items()}
    for d in absent:
        why = missing.get(d.entry.reference)
        report.say(f"missing {d.entry.reference}: {why}" if why else f"{d.entry.kind} {d.target}")
    return [Missing(reference=reference, why=why) for reference, why in missing.items()]


def left_out(bundle: Bundle, registry: str, internal: Internal, absent: list[Delivery]) -> dict[str, str]:
    """Where the registry has what the bundle leaves out of ``absent``: digest -> repository.

    Raises WrongTarget naming what it lacks. Of an image whose manifest the registry has, it has the blobs as well.
    """
    since = bundle.contents.since
    if since is None:
        return {}
    if since.registry != registry:
        raise WrongTarget(
            f"registry {registry}",
            f"the bundle leaves out what {since.registry} has: it was made for that registry",
            f"Load it there; or have one made for {registry}: sealift inventory, bundle create --since.",
        )
    host = registry.partition("/")[0]
    asked = [
        (k, since.omitted[k], Reference.parse(f"{host}/{since.held[k]}"))
        for k in sorted(_below(bundle, absent) & since.omitted.keys())
    ]
    there = each(lambda q: internal.has_blob(q[2], Descriptor("", q[0], q[1])), asked, ASKERS)
    lacks = [q for q, yes in zip(asked, there, strict=True) if not yes]
    if lacks:
        named = ", ".join(f"{k} ({size:,} bytes, {r.repository})" for k, size, r in lacks[:20])
        more = f" and {len(lacks) - 20} more" if len(lacks) > 20 else ""
        raise WrongTarget(
            f"registry {registry}",
            f"the bundle leaves out {len(lacks)} blobs that it does not hold: {named}{more}",
            "Make a new inventory, and a bundle since that.",
        )
    return {k: r.repository for k, _, r in asked}


def _below(bundle: Bundle, deliveries: list[Delivery]) -> set[str]:
    """The digests of all that ``deliveries`` are made of. Those with a damaged manifest are reported when sent."""
    found: set[str] = set()
    for d in deliveries:
        with suppress(Damaged):
            found |= {below.digest for below in bundle.layout.walk(bundle.descriptor(d.entry))}
    return found


def keep_last(site: Path, received: Receipt) -> None:
    """Keep the receipt of another bundle beside the new one: what rollback and `sealift prune --keep` go by."""
    last = site / RECEIPT
    if not last.is_file():
        return
    old = Receipt.read(last)
    if old.bundle != received.bundle:
        kept = sorted((site / RECEIPTS).glob("*.json"))
        if kept and kept[-1].read_bytes() == last.read_bytes():
            return  # A load that was killed here kept it already.
        number = int(kept[-1].name.partition("-")[0]) + 1 if kept else 1
        write_bytes_atomically(site / RECEIPTS / f"{number:06}-{old.bundle[:12]}.json", last.read_bytes())
