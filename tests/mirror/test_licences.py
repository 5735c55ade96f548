import pytest

from mirror import licences
from mirror.errors import BadInput

ALLOWED = ["Apache-2.0", "MIT", "GPL-2.0-only WITH Classpath-exception-2.0", "LicenseRef-Weights"]


@pytest.mark.parametrize(
    "expression",
    [
        "Apache-2.0",
        "Apache-2.0 AND MIT",
        "GPL-3.0-only OR MIT",
        "(GPL-3.0-only OR MIT) AND Apache-2.0",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "LicenseRef-Weights",
    ],
)
def test_what_the_list_satisfies_passes(expression: str) -> None:
    assert not licences.refused("part x", expression, ALLOWED)


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("GPL-3.0-only", "GPL-3.0-only"),
        ("Apache-2.0 AND GPL-3.0-only", "GPL-3.0-only"),
        ("GPL-3.0-only OR AGPL-3.0-only", "AGPL-3.0-only, GPL-3.0-only"),
        ("GPL-2.0-only", "GPL-2.0-only"),
        ("LicenseRef-Other", "LicenseRef-Other"),
    ],
)
def test_what_the_list_lacks_is_refused_by_its_identifier(expression: str, named: str) -> None:
    assert sorted(licences.refused("part x", expression, ALLOWED)) == named.split(", ")


@pytest.mark.parametrize("expression", ["", "Apache 2", "Apache-2.0 AND", "Nonsense", "MIT, GPL"])
def test_what_is_no_spdx_expression_is_bad_input(expression: str) -> None:
    with pytest.raises(BadInput, match="SPDX"):
        licences.refused("part x", expression, ALLOWED)


def test_the_list_itself_holds_single_identifiers() -> None:
    licences.check_list(ALLOWED)
    with pytest.raises(BadInput, match="expression"):
        licences.check_list(["MIT OR Apache-2.0"])


def test_something_under_several_licences_is_under_all_of_them() -> None:
    assert licences.joined(["MIT"]) == "MIT"
    assert licences.joined(["MIT OR ISC", "Apache-2.0"]) == "Apache-2.0 AND (MIT OR ISC)"


@pytest.mark.parametrize(
    ("expression", "under"),
    [
        ("MIT", {"MIT"}),
        ("GPL-3.0-only OR MIT", {"MIT"}),
        ("(GPL-3.0-only OR MIT) AND Apache-2.0", {"MIT", "Apache-2.0"}),
        ("Apache-2.0 OR MIT", {"Apache-2.0"}),
    ],
)
def test_of_two_licences_the_allowed_one_is_taken(expression: str, under: set[str]) -> None:
    assert licences.chosen("part x", expression, ALLOWED) == under


def test_every_identifier_of_an_expression_is_named() -> None:
    assert licences.named("x", "(GPL-3.0-only OR MIT) AND ISC") == {"GPL-3.0-only", "MIT", "ISC"}
