"""Each component gets a verdict with a reason; exceptions have a name, a reason and an end."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from mirror import licence_gate
from mirror.catalog import Catalog, LicenceException
from mirror.errors import BadInput, LicenceRefused
from mirror.licence_gate import Component
from mirror.resolve import check_licences

TODAY = date(2026, 11, 23)
ALLOWED = ["Apache-2.0", "MIT"]


def component(licence: str, *also: str) -> Component:
    return Component("part x", licence, frozenset(["part x", *also]))


def exception(**changes: object) -> LicenceException:
    fields: dict[str, Any] = {
        "component": "part x",
        "licence": "GPL-3.0-only",
        "reason": "Bought a commercial licence.",
        "approved_by": "Legal",
        "expires": date(2026, 12, 31),
    }
    return LicenceException(**{**fields, **changes})


def verdict(licence: str, *exceptions: LicenceException) -> licence_gate.Verdict:
    return licence_gate.judge([component(licence)], ALLOWED, exceptions, TODAY)[0]


def test_a_verdict_says_which_licence_it_rests_on() -> None:
    assert verdict("Apache-2.0").because == "Apache-2.0 is on the allow list"
    assert verdict("GPL-3.0-only OR MIT").because == "MIT is on the allow list"


def test_what_is_not_allowed_is_refused_with_what_is_lacking() -> None:
    found = verdict("MIT AND GPL-3.0-only")
    assert not found.allowed
    assert found.because == "GPL-3.0-only is not on the allow list"


def test_an_exception_lets_pass_and_says_who_until_when_and_why() -> None:
    found = verdict("MIT AND GPL-3.0-only", exception())
    assert found.allowed
    assert found.because.endswith("Legal excepts part x until 2026-12-31: Bought a commercial licence.")


@pytest.mark.parametrize(
    "other", [{"component": "part y"}, {"licence": "AGPL-3.0-only"}, {"expires": TODAY - timedelta(1)}]
)
def test_an_exception_for_something_else_or_that_ended_covers_nothing(other: dict[str, Any]) -> None:
    assert not verdict("GPL-3.0-only", exception(**other)).allowed


def test_an_exception_that_ended_is_said() -> None:
    assert verdict("GPL-3.0-only", exception(expires=TODAY - timedelta(1))).because.endswith("expired on 2026-11-22")


def test_an_exception_holds_on_its_last_day() -> None:
    assert verdict("GPL-3.0-only", exception(expires=TODAY)).allowed


def test_an_image_is_excepted_with_the_part_that_names_it() -> None:
    image = Component("image a/b:1", "GPL-3.0-only", frozenset(["part x"]))
    assert licence_gate.judge([image], ALLOWED, [exception()], TODAY)[0].allowed


def test_all_that_is_refused_is_named_at_once() -> None:
    components = [Component(n, "GPL-3.0-only", frozenset([n])) for n in ("part a", "model b")]
    with pytest.raises(LicenceRefused, match=r"part a.*model b") as e:
        licence_gate.require(licence_gate.judge(components, ALLOWED, [], TODAY))
    assert e.value.why == "GPL-3.0-only is not on the allow list"


def catalog(*exceptions: LicenceException) -> Catalog:
    part = {
        "name": "x",
        "source": {"kind": "images", "images": ["a"]},
        "licence": "GPL-3.0-only",
        "reason": "There is a reason.",
    }
    data = {"parts": [part], "licences": ALLOWED, "licence_exceptions": [e.model_dump() for e in exceptions]}
    return Catalog.model_validate({"version": 1, **data})


def test_a_catalog_needs_the_exception_and_the_lock_keeps_it() -> None:
    with pytest.raises(LicenceRefused):
        check_licences(catalog())
    ever = exception(expires=date.max)
    (kept,) = licence_gate.needed(check_licences(catalog(ever)))
    assert kept.data() == ever.model_dump(mode="json")


def test_an_exception_for_nothing_in_the_catalog_is_bad_input() -> None:
    with pytest.raises(BadInput, match="part z"):
        check_licences(catalog(exception(expires=date.max), exception(component="part z")))
