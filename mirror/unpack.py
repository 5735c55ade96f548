"""Looking into archives that others made, and unpacking them: nothing outside, no links, no devices, no bombs."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .errors import Damaged

LARGEST_HEADER = 1 << 20
"""Bytes of an extended header: long names and PAX attributes need a few hundred."""
_EXTENDED = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)

AGAIN = "Do not use it; ask whoever made it."


@dataclass(frozen=True)
class Limits:
    """What an archive may hold."""

    files: int = 20_000
    size: int = 1 << 30
    """Bytes of all files together, unpacked."""
    ratio: int = 200
    """How many times as large as the archive that may be; below 1 MiB the archive counts as 1 MiB."""
    links: bool = False
    """Whether symbolic links that stay inside are taken, as programs' archives have them."""


CHART = Limits(files=5_000, size=100 << 20)
"""Of a Helm chart: text. Helm's own limit is 100 MiB too (https://helm.sh/docs/faq/troubleshooting)."""


def check(archive: Path, limits: Limits) -> list[str]:
    """The names in a tar archive (plain, or compressed as its content says), sorted, once all of it was looked at.

    Raises Damaged for what is no tar archive, for a name that leads outside or stands twice, for anything but files
    and directories (and links, where they are taken), and for more than ``limits``.
    """
    with _opened(archive) as tar:
        return sorted(m.name for m in _members(tar, archive, limits))


def extract(archive: Path, into: Path, limits: Limits) -> list[str]:
    """Unpack a tar archive below ``into``, which need not exist; returns its names, sorted. Raises as :func:`check`.

    All of it is looked at before anything is written. Owners, and modes beyond rwxr-xr-x, are not taken over.
    """
    names = check(archive, limits)
    into.mkdir(parents=True, exist_ok=True)
    with _opened(archive) as tar:
        for member in _members(tar, archive, limits):
            tar.extract(member, into, filter="data")  # Python's own filter (PEP 706) as well: two locks on one door
    return names


def _members(tar: tarfile.TarFile, archive: Path, limits: Limits) -> Iterator[tarfile.TarInfo]:
    seen: set[str] = set()
    total, allowed = 0, min(limits.size, limits.ratio * max(archive.stat().st_size, 1 << 20))
    for member in tar:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or "\0" in member.name or "\\" in member.name:
            raise Damaged(str(archive), f"{member.name!r} leads outside", AGAIN)
        if not (member.isreg() or member.isdir() or (member.issym() and limits.links)):
            raise Damaged(str(archive), f"{member.name!r} is no file and no directory", AGAIN)
        if member.issym() and not _inside(path, member.linkname):
            raise Damaged(str(archive), f"{member.name!r} links to {member.linkname!r}, outside", AGAIN)
        if member.isreg() and str(path) in seen:
            raise Damaged(str(archive), f"{member.name!r} stands twice", AGAIN)
        if any(str(p) in seen for p in path.parents if str(p) != "."):
            raise Damaged(str(archive), f"{member.name!r} lies below a file or a link", AGAIN)
        if not member.isdir():
            seen.add(str(path))
        total += member.size
        if total > allowed or len(seen) > limits.files:
            raise Damaged(str(archive), f"unpacked it has more than {allowed:,} bytes or {limits.files:,} files", AGAIN)
        yield member


def _inside(path: PurePosixPath, target: str) -> bool:
    depth = 0
    if PurePosixPath(target).is_absolute():
        return False
    for part in (path.parent / target).parts:
        depth += {"..": -1, ".": 0}.get(part, 1)
        if depth < 0:
            return False
    return True


class Header(tarfile.TarInfo):
    """A header that is refused when it says that an extended header of it is large: tarfile takes those whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Header:
        """See :class:`tarfile.TarInfo`."""
        made = super().frombuf(buf, encoding, errors)
        if made.type in _EXTENDED and made.size > LARGEST_HEADER:
            raise tarfile.ReadError(f"an extended header of {made.size:,} bytes")
        return made


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive, "r:*", tarinfo=Header, errorlevel=2) as tar:
            yield tar
    except (tarfile.TarError, EOFError, OSError, ValueError, lzma.LZMAError, zlib.error) as e:
        raise Damaged(str(archive), f"it cannot be read as an archive: {e}", AGAIN) from e
