import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import BadInput
from mirror.reference import Reference, mirrored

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("kserve/agent:v1", "docker.io/kserve/agent:v1"),
        ("index.docker.io/a/b", "docker.io/a/b:latest"),
        ("quay.io/org/app", "quay.io/org/app:latest"),
        ("localhost/a:1", "localhost/a:1"),
        ("reg:5000/a/b:1", "reg:5000/a/b:1"),
        (f"gcr.io/a/b@{DIGEST}", f"gcr.io/a/b@{DIGEST}"),
        (f"gcr.io/a/b:1@{DIGEST}", f"gcr.io/a/b:1@{DIGEST}"),
    ],
)
def test_short_names_are_completed_as_container_tools_do(text: str, full: str) -> None:
    assert str(Reference.parse(text)) == full


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quay.io/Upper:1",
        "http://x/y:1",
        "a b",
        "x:",
        "x@sha256:12",
        "x@sha512:" + "0" * 128,
        "a//b",
        "-a",
        "{{ .X }}",
    ],
)
def test_what_is_no_reference_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(BadInput) as e:
        Reference.parse(text)
    assert repr(text) in e.value.given


def test_a_name_longer_than_a_registry_takes_is_refused() -> None:
    with pytest.raises(BadInput, match="longer"):
        Reference.parse("quay.io/" + "a" * 250)


def test_the_mirrored_name_keeps_the_whole_origin() -> None:
    source = Reference.parse(f"quay.io/org/app:1@{DIGEST}")
    assert str(mirrored(source, "reg.site:5000/x").pinned()) == f"reg.site:5000/x/quay.io/org/app@{DIGEST}"


def test_a_port_of_the_origin_becomes_part_of_a_path() -> None:
    assert mirrored(Reference.parse("reg:5000/a:1"), "site").name == "site/reg_5000/a"


def test_only_a_digest_pins() -> None:
    with pytest.raises(BadInput, match="no digest"):
        Reference.parse("a:1").pinned()


PART = st.from_regex(r"\A[a-z0-9]{1,9}(?:[._-][a-z0-9]{1,9})?\Z")


@given(
    st.from_regex(r"\A[a-z0-9]{1,9}\Z"),
    st.lists(PART, min_size=1, max_size=4),
    st.one_of(st.none(), PART),
    st.booleans(),
)
def test_a_reference_survives_being_written_and_parsed(
    host: str, path: list[str], tag: str | None, pinned: bool
) -> None:
    reference = Reference(f"{host}.example", "/".join(path), tag, DIGEST if pinned or tag is None else None)
    assert Reference.parse(str(reference)) == reference
