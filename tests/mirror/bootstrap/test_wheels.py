"""Which of an index's wheels is taken for a machine, and what a requirements file must say."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.tags import sys_tags

from mirror.bootstrap import requirements
from mirror.bootstrap.index import IndexFile, best
from mirror.bootstrap.requirements import Pinned
from mirror.bootstrap.target import Target
from mirror.errors import BadInput, NotUpstream

TARGET = Target("linux/amd64", "3.11", "2.34")
SHA = "a" * 64


def chosen(*tags: str, target: Target = TARGET, sha256: str = SHA) -> str:
    files = [IndexFile(filename=f"x-1-{t}.whl", url="u", hashes={"sha256": sha256}) for t in tags]
    ranks = {tag: rank for rank, tag in reversed(list(enumerate(target.tags())))}
    return best(Pinned("x", "1", frozenset([SHA]), None), files, target, ranks).filename


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        (["py3-none-any", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"], 1),
        (["cp311-cp311-manylinux_2_34_x86_64", "cp311-cp311-manylinux_2_35_x86_64"], 0),
        (["cp311-cp311-manylinux1_x86_64", "cp311-cp311-manylinux_2_28_x86_64"], 1),
        (["cp311-cp311-manylinux_2_17_aarch64", "cp39-abi3-manylinux2014_x86_64"], 1),
        (["cp312-cp312-manylinux_2_17_x86_64", "py2.py3-none-any"], 1),
        (["cp311-cp311-musllinux_1_2_x86_64", "cp311-none-any"], 1),
    ],
)
def test_the_wheel_that_fits_best_is_taken(offered: list[str], taken: int) -> None:
    assert chosen(*offered) == f"x-1-{offered[taken]}.whl"
    assert chosen(*reversed(offered)) == f"x-1-{offered[taken]}.whl"


@pytest.mark.parametrize(
    "tag", ["cp312-cp312-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_39_x86_64", "cp311-cp311-win_amd64"]
)
def test_a_wheel_that_would_not_run_is_never_taken(tag: str) -> None:
    with pytest.raises(NotUpstream, match=r"Python 3\.11, x86_64 and glibc 2\.34"):
        chosen(tag)


def test_a_wheel_whose_hash_is_not_pinned_is_never_taken() -> None:
    with pytest.raises(NotUpstream):
        chosen("py3-none-any", sha256="b" * 64)


def test_the_tags_of_this_machine_are_among_those_computed_for_one_like_it() -> None:
    def interesting(tags: object) -> list[str]:
        return [str(t) for t in tags if "manylinux_2_" in str(t) or "any" in str(t)]  # type: ignore[attr-defined]

    import platform
    import sys

    glibc = platform.libc_ver()[1]
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    made = Target({"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[platform.machine()], python, glibc)
    assert interesting(made.tags()) == interesting(sys_tags())


def test_another_platform_is_refused() -> None:
    with pytest.raises(BadInput, match="linux/s390x"):
        Target("linux/s390x", "3.11", "2.34").tags()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "requirements.txt"


def test_requirements_are_read_as_compilers_write_them(file: Path) -> None:
    file.write_text(
        f"# by a compiler\nA.b==1.0 ; python_version < '3.12' \\\n    --hash=sha256:{SHA} \\\n"
        f"    --hash=sha256:{'b' * 64}\n"
        f"    # via c\nc[extra]==2 --hash=sha256:{SHA}\nwin==1 ; sys_platform == 'win32' --hash=sha256:{SHA}\n"
    )
    found = requirements.read(file)
    assert [(p.name, p.version, len(p.hashes)) for p in found] == [("a-b", "1.0", 2), ("c", "2", 1), ("win", "1", 1)]
    assert [p.name for p in requirements.for_target(found, TARGET)] == ["a-b", "c"]
    assert [p.name for p in requirements.for_target(found, Target("linux/arm64", "3.12", "2.34"))] == ["c"]


@pytest.mark.parametrize(
    "line",
    [
        "a==1",
        f"a>=1 --hash=sha256:{SHA}",
        f"a==1,!=2 --hash=sha256:{SHA}",
        f"a @ https://x.test/a.whl --hash=sha256:{SHA}",
        "-r other.txt",
        "--index-url https://x.test",
    ],
)
def test_what_is_not_pinned_by_hash_is_refused(file: Path, line: str) -> None:
    file.write_text(line + "\n")
    with pytest.raises(BadInput):
        requirements.read(file)


def test_one_machine_cannot_have_two_versions(file: Path) -> None:
    file.write_text(f"a==1 --hash=sha256:{SHA}\na==2 --hash=sha256:{SHA}\n")
    with pytest.raises(BadInput, match="stands twice"):
        requirements.for_target(requirements.read(file), TARGET)
