"""Archives that others made: what would harm is refused before anything is written."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mirror import unpack
from mirror.errors import Damaged
from mirror.unpack import Limits

SMALL = Limits(files=10, size=10_000_000)


def archive(path: Path, *members: dict[str, Any], content: bytes = b"x", mode: str = "w:gz") -> Path:
    with tarfile.open(path / "a.tgz", mode) as tar:  # type: ignore[call-overload]
        for fields in members:
            member = tarfile.TarInfo()
            for name, value in {"type": tarfile.REGTYPE, **fields}.items():
                setattr(member, name, value)
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path / "a.tgz"


def test_files_and_directories_are_unpacked_without_owners_and_odd_modes(tmp_path: Path) -> None:
    made = archive(tmp_path, {"name": "d", "type": tarfile.DIRTYPE}, {"name": "d/f", "mode": 0o4777, "uid": 12})
    assert unpack.extract(made, tmp_path / "out", SMALL) == ["d", "d/f"]
    assert (tmp_path / "out/d/f").read_bytes() == b"x"
    assert (tmp_path / "out/d/f").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_the_compression_is_what_the_content_says(tmp_path: Path, mode: str) -> None:
    assert unpack.check(archive(tmp_path, {"name": "f"}, mode=mode), SMALL) == ["f"]


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([{"name": "../f"}], "leads outside"),
        ([{"name": "a/../../f"}], "leads outside"),
        ([{"name": "/etc/f"}], "leads outside"),
        ([{"name": "a\\..\\f"}], "leads outside"),
        ([{"name": "l", "type": tarfile.SYMTYPE, "linkname": "/etc"}], "no file and no directory"),
        ([{"name": "l", "type": tarfile.LNKTYPE, "linkname": "f"}], "no file and no directory"),
        ([{"name": "d", "type": tarfile.CHRTYPE}], "no file and no directory"),
        ([{"name": "d", "type": tarfile.BLKTYPE}], "no file and no directory"),
        ([{"name": "p", "type": tarfile.FIFOTYPE}], "no file and no directory"),
        ([{"name": "f"}, {"name": "f"}], "stands twice"),
        ([{"name": "f"}, {"name": "./f"}], "stands twice"),
        ([{"name": "f"}, {"name": "f/g"}], "below a file or a link"),
        ([{"name": f"f{n}"} for n in range(11)], "more than"),
    ],
)
def test_what_would_harm_is_refused_and_nothing_is_written(
    tmp_path: Path, members: list[dict[str, Any]], why: str
) -> None:
    made = archive(tmp_path, {"name": "harmless"}, *members)
    with pytest.raises(Damaged, match=why):
        unpack.extract(made, tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


LINKS = Limits(links=True)


def test_a_link_that_stays_inside_is_taken_where_links_are(tmp_path: Path) -> None:
    made = archive(
        tmp_path, {"name": "lib/a.so.1"}, {"name": "lib/a.so", "type": tarfile.SYMTYPE, "linkname": "a.so.1"}
    )
    unpack.extract(made, tmp_path / "out", LINKS)
    assert (tmp_path / "out/lib/a.so").read_bytes() == b"x"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "a/../../../x", ".."])
def test_a_link_that_leads_outside_is_never_taken(tmp_path: Path, target: str) -> None:
    made = archive(tmp_path, {"name": "lib/l", "type": tarfile.SYMTYPE, "linkname": target})
    if target == "..":
        made = archive(tmp_path, {"name": "l", "type": tarfile.SYMTYPE, "linkname": target})
    with pytest.raises(Damaged, match="outside"):
        unpack.extract(made, tmp_path / "out", LINKS)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    made = archive(tmp_path, {"name": "d", "type": tarfile.SYMTYPE, "linkname": "e"}, {"name": "d/f"})
    with pytest.raises(Damaged, match="below a file or a link"):
        unpack.extract(made, tmp_path / "out", LINKS)


def test_a_bomb_is_refused_by_its_ratio_without_being_unpacked_whole(tmp_path: Path) -> None:
    made = archive(tmp_path, {"name": "zeros"}, content=bytes(30 << 20))
    assert made.stat().st_size < 1 << 20
    with pytest.raises(Damaged, match="more than"):
        unpack.check(made, Limits(size=1 << 40, ratio=20))


@pytest.mark.parametrize("type_", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("first", [b"", tarfile.TarInfo("f").tobuf()], ids=["first", "later"])
def test_a_header_that_claims_to_be_huge_is_not_read(tmp_path: Path, type_: bytes, first: bytes) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = type_, 1 << 32
    (tmp_path / "a.tar").write_bytes(first + header.tobuf() + bytes(2048))
    with pytest.raises(Damaged, match="cannot be read as an archive"):
        unpack.check(tmp_path / "a.tar", SMALL)


def test_what_is_no_archive_or_ends_early_is_refused(tmp_path: Path) -> None:
    made = archive(tmp_path, {"name": "f"}, content=bytes(range(256)) * 400)
    cut = tmp_path / "cut"
    cut.write_bytes(made.read_bytes()[:-40])
    other = tmp_path / "other"
    other.write_bytes(gzip.compress(b"nonsense"))
    for path in (cut, other):
        with pytest.raises(Damaged, match="cannot be read"):
            unpack.check(path, SMALL)
