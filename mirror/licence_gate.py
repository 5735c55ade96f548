"""Whether a distribution may be redistributed: a reasoned verdict for each of its components."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from . import licences
from .errors import LicenceRefused
from .lock import Lock, LockedBootstrap, LockedException
from .record import Record

# A bundle is made from a lock, without the catalog, whose many models take time to build.
if TYPE_CHECKING:
    from .catalog import Catalog, LicenceException


@dataclass(frozen=True)
class Component:
    """Something under a licence. ``excepted_as`` are the names under which an exception may cover it."""

    name: str
    licence: str
    excepted_as: frozenset[str]


class Verdict(Record, frozen=True, kw_only=True):
    """Whether a component may be carried, and why."""

    component: str
    licence: str
    """SPDX expression."""
    allowed: bool
    because: str
    exception: LockedException | None = None
    """The one that it needs."""


def of_catalog(catalog: Catalog) -> list[Component]:
    """What a catalog names: parts, runtimes, models, tools. What wheels are under is known when they are locked."""
    named = [
        *((f"part {p.name}", p.licence) for p in catalog.parts),
        *((f"runtime {r.name}", r.licence) for r in catalog.runtimes),
        *((f"model {m.name}", m.licence) for m in catalog.models),
        *((f"tool {t.name}", t.licence) for t in (catalog.bootstrap.tools if catalog.bootstrap else [])),
    ]
    return [Component(name, licence, frozenset([name])) for name, licence in named]


def of_lock(lock: Lock) -> list[Component]:
    """What a lock carries. An image is excepted with the parts and runtimes that name it."""
    runtimes = {r.image: f"runtime {r.name}" for r in lock.runtimes}
    found = [Component(f"part {p.name}", p.licence, frozenset([f"part {p.name}"])) for p in lock.parts]
    modelcars = {m.image: f"model {m.name}" for m in lock.models if m.image}
    for image in lock.images:
        parts = {f"part {p.name}" for p in lock.parts if image.reference in p.images}
        also = {named[image.reference] for named in (runtimes, modelcars) if image.reference in named}
        found.append(Component(f"image {image.reference}", image.licence, frozenset(parts | also)))
    found += [Component(f"model {m.name}", m.licence, frozenset([f"model {m.name}"])) for m in lock.models]
    return found + (of_bootstrap(lock.bootstrap) if lock.bootstrap else [])


def of_bootstrap(bootstrap: LockedBootstrap) -> list[Component]:
    """What sets up an operator's machine, each once."""
    named = [(f"tool {t.name}", t.licence) for t in bootstrap.tools]
    named += [(f"wheel {w.name}", w.licence) for w in bootstrap.wheels]
    return [Component(name, licence, frozenset([name])) for name, licence in dict.fromkeys(named)]


def judge(
    components: Sequence[Component],
    allowed: Collection[str],
    exceptions: Sequence[LicenceException | LockedException],
    today: date,
) -> list[Verdict]:
    """The verdict on each of ``components``, in their order; raises BadInput for what is no SPDX expression."""
    return [_verdict(c, allowed, [e for e in exceptions if e.component in c.excepted_as], today) for c in components]


def require(verdicts: Sequence[Verdict]) -> None:
    """Raise LicenceRefused, naming each of them, unless all may be carried."""
    refused = [v for v in verdicts if not v.allowed]
    if refused:
        raise LicenceRefused(
            "; ".join(f"{v.component}, licence {v.licence}" for v in refused),
            "; ".join(dict.fromkeys(v.because for v in refused)),
            "Leave it out, or let whoever answers for licences add the identifier, or an exception with a reason and "
            "an end, to catalog/licences.yaml.",
        )


def needed(verdicts: Sequence[Verdict]) -> list[LockedException]:
    """The exceptions that ``verdicts`` rest on, each once, sorted."""
    found = {(v.exception.component, v.exception.licence): v.exception for v in verdicts if v.exception}
    return [found[k] for k in sorted(found)]


def _verdict(
    c: Component, allowed: Collection[str], exceptions: Sequence[LicenceException | LockedException], today: date
) -> Verdict:
    refused = licences.refused(c.name, c.licence, allowed)
    if not refused:
        chosen = " and ".join(sorted(licences.chosen(c.name, c.licence, allowed)))
        return Verdict(component=c.name, licence=c.licence, allowed=True, because=f"{chosen} is on the allow list")
    why = f"{', '.join(sorted(refused))} is not on the allow list"
    for e in exceptions:
        if licences.refused(c.name, c.licence, {*allowed, *licences.named(e.component, e.licence)}):
            continue
        if e.expires < today:
            why = f"{why}, and its exception expired on {e.expires}"
            continue
        because = f"{why}; {e.approved_by} excepts {e.component} until {e.expires}: {e.reason}"
        locked = LockedException(
            component=e.component,
            licence=e.licence,
            reason=e.reason,
            approved_by=e.approved_by,
            expires=e.expires,
        )
        return Verdict(component=c.name, licence=c.licence, allowed=True, because=because, exception=locked)
    return Verdict(component=c.name, licence=c.licence, allowed=False, because=why)


def require_unexpired(lock: Lock, today: date) -> None:
    """Raise LicenceRefused when an exception that the lock rests on has ended."""
    if ended := [e for e in lock.licence_exceptions if e.expires < today]:
        raise LicenceRefused(
            "; ".join(f"{e.component}, licence {e.licence}" for e in ended),
            "; ".join(f"its exception expired on {e.expires}" for e in ended),
            "Have it renewed in catalog/licences.yaml, with a reason, and lock again.",
        )
