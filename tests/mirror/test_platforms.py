"""Cutting an index to platforms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import NotUpstream
from mirror.layout import OCI_INDEX, OCI_MANIFEST, encode
from mirror.platforms import cut

ALL = ["linux/amd64", "linux/arm64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "linux/s390x", "unknown/unknown"]


def entry(platform: str, n: int = 0) -> dict[str, Any]:
    system, architecture, variant = [*platform.split("/"), None][:3]
    said = {"architecture": architecture, "os": system, **({"variant": variant} if variant else {})}
    return {"mediaType": OCI_MANIFEST, "digest": f"sha256:{n:064}", "size": 1, "platform": said}


def index(*platforms: str, **more: object) -> bytes:
    entries = [entry(p, n) for n, p in enumerate(platforms)]
    return encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **more})


def kept(content: bytes | None) -> list[str]:
    assert content is not None
    said = [m["platform"] for m in json.loads(content)["manifests"]]
    return ["/".join(filter(None, [p["os"], p["architecture"], p.get("variant")])) for p in said]


def test_only_the_wanted_platforms_stay_and_attestations_go() -> None:
    given_ = index("linux/amd64", "linux/arm64/v8", "unknown/unknown", "unknown/unknown")
    assert kept(cut(given_, ["linux/amd64"])) == ["linux/amd64"]
    assert kept(cut(given_, ["linux/arm64", "linux/amd64"])) == ["linux/amd64", "linux/arm64/v8"]


def test_the_order_and_the_annotations_of_the_index_stay() -> None:
    content = cut(index("linux/s390x", "linux/amd64", annotations={"b": "1", "a": "2"}), ["linux/amd64"])
    assert content is not None
    assert list(json.loads(content)["annotations"]) == ["b", "a"]


def test_an_index_that_holds_what_is_wanted_and_a_single_manifest_are_not_cut() -> None:
    assert cut(index("linux/amd64", "linux/arm64"), ["linux/amd64", "linux/arm64"]) is None
    assert cut(encode({"schemaVersion": 2, "config": {}, "layers": []}), ["linux/amd64"]) is None


def test_a_variant_is_wanted_exactly_where_it_is_named() -> None:
    assert kept(cut(index("linux/arm/v6", "linux/arm/v7"), ["linux/arm/v6"])) == ["linux/arm/v6"]
    assert kept(cut(index("linux/arm/v6", "linux/arm/v7"), ["linux/arm"])) == ["linux/arm/v7"]
    assert kept(cut(index("linux/amd64", "linux/amd64/v3"), ["linux/amd64"])) == ["linux/amd64"]


def test_an_absent_platform_is_refused_and_those_there_are_named() -> None:
    with pytest.raises(NotUpstream) as e:
        cut(index("linux/arm64", "linux/s390x", "unknown/unknown"), ["linux/amd64"])
    assert "linux/amd64" in e.value.why
    assert "linux/arm64, linux/s390x." in e.value.instead


def test_schema_1_is_refused() -> None:
    with pytest.raises(NotUpstream, match="schema 1"):
        cut(b'{"schemaVersion": 1, "fsLayers": []}', ["linux/amd64"])


@given(st.lists(st.sampled_from(ALL), min_size=1), st.lists(st.sampled_from(ALL[:-1]), min_size=1))
def test_cutting_twice_changes_nothing_more(offered: list[str], wanted: list[str]) -> None:
    try:
        once = cut(index(*offered), wanted)
    except NotUpstream:
        return
    assert once is None or cut(once, wanted) is None
    assert cut(index(*offered), wanted) == once
