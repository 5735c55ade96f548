"""Keys and roots in words and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Root, Targets

from . import roots


def key(key_: Key) -> dict[str, Any]:
    """Identifier, scheme and public half of a key."""
    return {"keyid": key_.keyid, "scheme": key_.scheme, "public": key_.keyval["public"]}


def root(root_: Root) -> dict[str, Any]:
    """Version, date, keys and thresholds of a root."""
    kinds = (("root", Root.type), ("release", Targets.type))
    powers = {
        name: {"threshold": root_.roles[role].threshold, "keys": [key(root_.keys[k]) for k in root_.roles[role].keyids]}
        for name, role in kinds
    }
    return {"version": root_.version, "expires": root_.expires.isoformat(), **powers}


def root_text(described: dict[str, Any]) -> str:
    """What :func:`root` says, for people."""
    lines = [f"root {described['version']}, until {described['expires'][:10]}"]
    for name in ("root", "release"):
        power = described[name]
        lines.append(f"{name}: {power['threshold']} of {len(power['keys'])}")
        lines += [f"  {k['scheme']} {k['keyid']}" for k in power["keys"]]
    return "\n".join(lines)


def written(
    metadata: Metadata[Root], previous: Root | None, directory: Path, *, dry_run: bool = False
) -> tuple[dict[str, Any], str]:
    """Write a root below ``directory``; what was written and what it still lacks, as JSON and in words.

    With ``dry_run`` it is said and not written.
    """
    where = roots.path(directory, metadata.signed.version) if dry_run else roots.write(metadata, directory)
    missing = roots.lacking(metadata, previous)
    described = {**root(metadata.signed), "file": str(where), "lacking": missing}
    text = f"{f'would write {where}' if dry_run else where}\n{root_text(described)}"
    return described, f"{text}\nnot yet valid: {missing}" if missing else text
