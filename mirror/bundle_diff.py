"""What comes, goes and changes between two bundles or locks: shown before anything ships."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from . import render
from .bundle import Bundle
from .licence_gate import of_bootstrap
from .lock import Lock, LockedChart, LockedImage, LockedManifest
from .progress import size
from .record import Record
from .reference import Reference
from .registry import chart_layer


class Change(Record, frozen=True, kw_only=True):
    """One thing. ``old`` is None for what comes, ``new`` for what goes."""

    kind: str
    """image, model, tool, wheel, licence, size, crd, part."""
    name: str
    old: str | None
    new: str | None

    def line(self) -> str:
        """In words."""
        if self.old is None:
            return f"+ {self.kind:8} {self.name}  {self.new}"
        if self.new is None:
            return f"- {self.kind:8} {self.name}  {self.old}"
        return f"~ {self.kind:8} {self.name}  {self.old} -> {self.new}"


class Difference(Record, frozen=True, kw_only=True):
    """Between two bundles."""

    changes: list[Change]
    old_bytes: int
    """Of images and models, what they share counted in each."""
    new_bytes: int
    crds_compared: bool

    def lines(self) -> list[str]:
        """In words."""
        total = f"images and models: {size(self.old_bytes)} -> {size(self.new_bytes)}"
        unsaid = [] if self.crds_compared else ["CRDs are not compared: give two bundles"]
        return [*(c.line() for c in self.changes), total, *unsaid]


def between(old: Path, new: Path) -> Difference:
    """The difference between two bundles or locks; raises BadInput, Damaged, and ToolMissing without helm."""
    bundles = [Bundle.open(p) if p.is_dir() else None for p in (old, new)]
    locks = [b.lock if b else Lock.read(p) for b, p in zip(bundles, (old, new), strict=True)]
    crds = [_crds(b) for b in bundles if b]
    changes = of_locks(locks[0], locks[1])
    if len(crds) == 2:
        changes += compared("crd", crds[0], crds[1])
    return Difference(
        changes=changes, old_bytes=_bytes(locks[0]), new_bytes=_bytes(locks[1]), crds_compared=len(crds) == 2
    )


def of_locks(old: Lock, new: Lock) -> list[Change]:
    """What differs between two locks: a pure function."""
    changes = compared("part", _parts(old), _parts(new))
    changes += [_described(c, old, new) for c in compared("image", _images(old), _images(new))]
    changes += compared("model", _models(old), _models(new))
    changes += compared("tool", _tools(old), _tools(new))
    changes += compared("wheel", _wheels(old), _wheels(new))
    changes += compared("licence", _licences(old), _licences(new), both=True)
    return changes + compared("size", _sizes(old), _sizes(new), both=True)


def compared(kind: str, old: Mapping[str, str], new: Mapping[str, str], *, both: bool = False) -> list[Change]:
    """The names whose values differ; with ``both`` only those that are in old and new."""
    names = old.keys() & new.keys() if both else old.keys() | new.keys()
    return [
        Change(kind=kind, name=n, old=old.get(n), new=new.get(n)) for n in sorted(names) if old.get(n) != new.get(n)
    ]


def _images(lock: Lock) -> dict[str, str]:
    """By repository, so that another tag is a change and not one that goes and one that comes."""
    return _grouped(lock, lambda i: f"{i.reference.rpartition('/')[2].partition(':')[2]} {i.digest[7:19]}")


def _grouped(lock: Lock, said: Callable[[LockedImage], str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for i in lock.images:
        found.setdefault(Reference.parse(i.reference).name, []).append(said(i).strip())
    return {k: ", ".join(sorted(v)) for k, v in found.items()}


def _described(change: Change, old: Lock, new: Lock) -> Change:
    """An image that comes or goes, with its bytes and its licence; of one that stays the difference is said."""
    if change.old is not None and change.new is not None:
        return change
    lock = new if change.old is None else old
    more = f" ({_sizes(lock)[change.name]}, {_licences(lock)[f'image {change.name}']})"
    return replace(change, new=change.new + more) if change.new else replace(change, old=f"{change.old}{more}")


def _models(lock: Lock) -> dict[str, str]:
    return {m.name: f"{m.origin}@{m.revision[:12]} ({size(sum(f.size for f in m.files))})" for m in lock.models}


def _tools(lock: Lock) -> dict[str, str]:
    found = lock.bootstrap.tools if lock.bootstrap else []
    return {f"{t.name} {t.platform}": f"{t.version} {t.file.sha256[:12]}" for t in found}


def _wheels(lock: Lock) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for w in lock.bootstrap.wheels if lock.bootstrap else []:
        found.setdefault(w.name, []).append(f"{w.version} {w.file.sha256[:12]}")
    return {k: ", ".join(sorted(v)) for k, v in found.items()}


def _licences(lock: Lock) -> dict[str, str]:
    named = {f"image {k}": v for k, v in _grouped(lock, lambda i: i.licence).items()}
    named |= {f"model {m.name}": m.licence for m in lock.models}
    return named | {c.name: c.licence for c in of_bootstrap(lock.bootstrap)} if lock.bootstrap else named


def _sizes(lock: Lock) -> dict[str, str]:
    return _grouped(lock, lambda i: size(i.size))


def _parts(lock: Lock) -> dict[str, str]:
    found = {}
    for p in lock.parts:
        if isinstance(p.content, LockedChart):
            found[p.name] = f"chart {p.content.reference.rpartition(':')[2]} {p.content.digest[7:19]}"
        elif isinstance(p.content, LockedManifest):
            found[p.name] = "files " + ", ".join(f"{f.name} {f.sha256[:12]}" for f in p.content.files)
        else:
            found[p.name] = f"{len(p.content.images)} images"
    return found


def _bytes(lock: Lock) -> int:
    return sum(i.size for i in lock.images) + sum(f.size for m in lock.models for f in m.files)


def _crds(bundle: Bundle) -> dict[str, str]:
    """Each CRD -> its versions and the beginning of what it is hashed to, as the one render gives them."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="sealift-diff-") as scratch:
        for part in bundle.lock.parts:
            for d in _documents(bundle, part.content, part.namespace or "default", Path(scratch)):
                if d["kind"] == "CustomResourceDefinition":
                    versions = ", ".join(v["name"] for v in d["spec"].get("versions") or [])
                    hashed = hashlib.sha256(json.dumps(d["spec"], sort_keys=True).encode()).hexdigest()
                    found[d["metadata"]["name"]] = f"{versions} {hashed[:12]}"
    return found


def _documents(bundle: Bundle, content: object, namespace: str, scratch: Path) -> list[render.Document]:
    if isinstance(content, LockedManifest):
        files = [(f.name, bundle.layout.read(f"sha256:{f.sha256}").decode()) for f in content.files]
        return render.parse(files)
    if isinstance(content, LockedChart):
        layer = chart_layer(bundle.layout.read(content.digest), content.reference)
        archive = scratch / f"{layer.digest[7:]}.tgz"
        archive.write_bytes(bundle.layout.read(layer.digest))
        return render.chart(
            archive,
            release=content.release,
            namespace=namespace,
            values=content.values,
            kubernetes=bundle.lock.kubernetes,
        )
    return []
