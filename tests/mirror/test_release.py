"""Release YAML as an artifact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.lock import LockedFile
from mirror.reference import Reference
from mirror.release import Release

FILE = LockedFile(name="x.yaml", sha256="ab" * 32, size=3)


def test_a_url_becomes_a_reference_that_reads_like_it() -> None:
    url = "https://github.com/Knative/Serving/releases/download/knative-v1.23.0/serving-core.yaml"
    name = "github.com/knative/serving/releases/download/knative-v1.23.0/serving-core.yaml:abababababababab"
    assert Release(url, FILE).reference == name


@pytest.mark.parametrize("path", ["a+b/c.yaml", "a//b/.hidden.yaml", "a_-b/--c..yaml", "A%20B/x.yaml"])
def test_what_a_repository_path_cannot_hold_is_replaced(path: str) -> None:
    reference = Release(f"https://example.org:8443/{path}", FILE).reference
    assert str(Reference.parse(reference)) == reference


@given(st.text(alphabet="aZ09._-+~%@", min_size=1).filter(lambda t: any(c.isalnum() for c in t)))
def test_any_path_becomes_a_reference(path: str) -> None:
    reference = Release(f"https://example.org/{path}", FILE).reference
    assert Reference.parse(reference).tag == FILE.sha256[:16]
