"""Loading a bundle into the internal registry, and writing the site directory that everything after it reads."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .bundle import Bundle, Entry
from .errors import BadInput, RegistryRefused, SealiftError
from .evidence.judge import Judge, Verdict, verdicts
from .evidence.reader import FromInternal
from .layout import RECEIPT
from .lock import LockedRuntime
from .progress import Report
from .receipt import Missing, Receipt, ReceivedImage, ReceivedModel, ReceivedRuntime
from .reference import Reference, mirrored
from .registry import Internal
from .site import write_part

T = TypeVar("T")

WORKERS = 4
"""How many entries are sent at the same time."""


@dataclass(frozen=True)
class Delivery:
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
        source = Reference.parse(entry.reference)
        has_tag = ":" in entry.reference.rpartition("/")[2]
        name = mirrored(source, registry)
        tag = source.tag if has_tag else f"at-{entry.digest.partition(':')[2][:12]}"
        target = Reference(name.registry, name.repository, None, entry.digest)
        return cls(entry, target, Reference(name.registry, name.repository, tag))


def plan(bundle: Bundle, registry: str) -> list[Delivery]:
    """Where everything in ``bundle`` goes; raises BadInput when ``registry`` is no ``host[:port][/prefix]``."""
    if Reference.parse(f"{registry}/name").registry != registry.partition("/")[0]:
        raise BadInput(
            f"registry {registry!r}", "it is no host", "Give host[:port][/prefix], such as registry.site:5000."
        )
    return [Delivery.of(e, registry) for e in bundle.contents.entries]


def load(bundle: Bundle, registry: str, internal: Internal, site: Path, report: Report) -> Receipt:
    """Send what ``registry`` lacks, ask it for each digest, and write ``site``: content first, receipt.json last.

    What did not arrive stands in the receipt's ``missing``; the rest is loaded all the same, and another run continues.
    Raises RegistryRefused when the registry cannot be asked at all, before anything is sent.
    """
    deliveries = plan(bundle, registry)
    there = present(deliveries, internal)
    absent = [d for d in deliveries if d.target not in there]
    report.say(f"{len(there)} of {len(deliveries)} are there already")
    report.begin("load", sum(d.entry.size for d in absent))
    with tempfile.TemporaryDirectory(prefix="sealift-load-") as scratch:
        unsent = _each(lambda d: _send(bundle, d, internal, Path(scratch), report), absent)
    missing = [m for m in unsent if m]
    signed = _signed(bundle, registry, internal, {m.reference for m in missing}, report)
    missing += [Missing(reference=v.image, why=v.because) for v in signed.values() if not v.signed]
    received = receipt(bundle, registry, deliveries, missing, site, signed)
    received.write(site / RECEIPT)
    return received


def present(deliveries: list[Delivery], internal: Internal) -> set[Reference]:
    """The targets that the registry holds already, byte for byte; raises RegistryRefused."""
    if deliveries:
        internal.holds(deliveries[0].target)  # One question alone first: a registry that is down is not asked 60 times.
    held = _each(lambda d: internal.holds(d.target), deliveries)
    return {d.target for d, holds in zip(deliveries, held, strict=True) if holds}


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
    judge = Judge(bundle.lock.signature_rules, bundle.lock.trusted_root)
    arrived = [i for i in bundle.lock.images if i.reference not in lost]
    found = verdicts(judge, arrived, lambda name: mirrored(name, registry), FromInternal(internal))
    return {v.image: v for v in found}


def _runtime(r: LockedRuntime) -> ReceivedRuntime:
    return ReceivedRuntime(name=r.name, engine=r.engine, accelerator=r.accelerator, image=r.image)


def _send(bundle: Bundle, d: Delivery, internal: Internal, scratch: Path, report: Report) -> Missing | None:
    try:
        layout = scratch / str(threading.get_ident())
        layout.mkdir(exist_ok=True)
        internal.push(bundle.layout, bundle.descriptor(d.entry), d.tagged, layout)
        if not internal.holds(d.target):
            return Missing(reference=d.entry.reference, why="the registry took it and does not answer for its digest")
    except SealiftError as e:
        report.say(f"missing {d.entry.reference}: {e.why}")
        return Missing(reference=d.entry.reference, why=e.why)
    report.advance(d.entry.size)
    report.say(f"{d.entry.kind} {d.target}")
    return None


def _each(work: Callable[[Delivery], T], items: list[Delivery]) -> list[T]:
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, items))
