"""The section of a catalog that sets up a machine, resolved: what is pinned, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from mirror import resolve
from mirror.bundle_create import create
from mirror.bundle_diff import of_locks
from mirror.errors import BadInput, Damaged, LicenceRefused, NotUpstream
from mirror.progress import Silent
from mirror.registry import Upstream
from tests.mirror.bootstrap.conftest import PLATFORM, PYTHON, archive, sha256, wheel

if TYPE_CHECKING:
    from tests.mirror.bootstrap.conftest import Machine


def test_the_lock_pins_each_file_with_its_licence_and_its_machines(machine: Machine) -> None:
    found = machine.lock().bootstrap
    assert found is not None
    (demo, plain, plug) = found.tools
    assert (demo.programs, plain.programs, plug.plugin) == (
        {"demo": "demo-1/demo"},
        {"plain": None},
        "resource-demo-v1.2.3",
    )
    assert demo.file.sha256 == sha256(machine.hub.files["demo.tar.gz"])
    assert [(w.name, w.licence, w.url is None) for w in found.wheels] == [
        ("needed", "MIT", False),
        ("pip", "MIT", False),
        ("sealift", "MIT", True),
    ]
    assert {t for w in found.wheels for t in w.targets} == {f"{PLATFORM} {PYTHON}"}


def test_a_difference_names_the_tools_and_wheels_that_changed(machine: Machine) -> None:
    old = machine.lock()
    machine.wheels["needed-1.1-py3-none-any.whl"] = wheel("needed", {"needed.py": "WORD = 'n'\n"}, version="1.1")
    del machine.wheels["needed-1.0-py3-none-any.whl"]
    machine.publish()
    machine.section["tools"] = machine.section["tools"][1:]
    changes = {(c.kind, c.name): (c.old or "").split(" ")[0] + ">" + (c.new or "").split(" ")[0]
               for c in of_locks(old, machine.lock())}  # fmt: skip
    assert changes[("wheel", "needed")] == "1.0>1.1"
    assert changes[("tool", f"demo {PLATFORM}")] == "1.2.3>"


def test_a_wheel_of_which_nobody_says_the_licence_stops_the_lock(machine: Machine) -> None:
    name = "needed-1.0-py3-none-any.whl"
    machine.wheels[name] = wheel("needed", {}, metadata="License: see the file LICENSE")
    machine.publish()
    with pytest.raises(LicenceRefused, match="wheel needed"):
        machine.lock()
    machine.section["licences"] = {"needed": "GPL-3.0-only"}
    with pytest.raises(LicenceRefused, match=r"GPL-3\.0-only is not on the allow list"):
        machine.lock()
    until = {"reason": "It is part of a test.", "approved_by": "a test", "expires": str(date.max)}
    machine.exceptions = [{"component": "wheel needed", "licence": "GPL-3.0-only", **until}]
    assert [e.component for e in machine.lock().licence_exceptions] == ["wheel needed"]


def test_a_stated_licence_that_contradicts_the_wheel_is_refused(machine: Machine) -> None:
    machine.section["licences"] = {"needed": "Apache-2.0"}
    with pytest.raises(BadInput, match="the wheel itself says MIT"):
        machine.lock()


def test_a_tool_under_a_licence_that_is_not_allowed_is_refused_before_anything_is_fetched(machine: Machine) -> None:
    machine.section["tools"][0]["licence"] = "GPL-3.0-only"
    with pytest.raises(LicenceRefused, match="tool demo"):
        machine.lock()
    assert machine.hub.requests == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"project": "other"}, "no requirement pins it|it is sealift, not other"),
        ({"pythons": ["3.10"], "glibc": "2.5"}, None),
        ({"licences": {"absent": "MIT"}}, "no requirement is called so"),
        ({"requirements": "absent.txt"}, "No such file"),
    ],
)
def test_a_section_that_does_not_fit_is_refused(machine: Machine, change: dict[str, object], why: str | None) -> None:
    machine.section |= change
    if why is None:  # Pure wheels run on any.
        machine.lock()
        return
    with pytest.raises(BadInput, match=why):
        machine.lock()


def test_the_project_must_be_pinned_or_given_and_not_both(machine: Machine) -> None:
    machine.wheels["sealift-1.0-py3-none-any.whl"] = machine.own.read_bytes()
    machine.publish()
    with pytest.raises(BadInput, match="pin sealift already"):
        machine.lock()
    machine.section["project"] = "absent"
    source = Upstream(machine.source_map)
    with pytest.raises(BadInput, match="its wheel was not given"):
        resolve.lock(machine.catalog, source, machine.source_map, Silent())
    assert machine.hub.requests == []


def test_a_wheel_for_a_catalog_that_sets_up_nothing_is_refused(machine: Machine) -> None:
    without = machine.catalog.model_copy(update={"bootstrap": None})
    with pytest.raises(BadInput, match="no section bootstrap"):
        resolve.lock(without, Upstream(machine.source_map), machine.source_map, Silent(), machine.own)


def test_a_bundle_wants_the_very_wheel_that_was_locked(machine: Machine) -> None:
    machine.bundle("a")
    with pytest.raises(BadInput, match="no URL has it"):
        machine.bundle("b", wheel=None)
    order = machine.order("c")
    machine.own.write_bytes(wheel("sealift", {"sealift.py": "print('another')"}))
    with pytest.raises(Damaged, match="it is not the locked file"):
        create(order, Silent())


def test_without_pip_nothing_could_be_installed(machine: Machine) -> None:
    del machine.wheels["pip-1.0-py3-none-any.whl"]
    machine.publish()
    with pytest.raises(BadInput, match="pip is not in it"):
        machine.lock()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"a/demo": "x", "b/demo": "y"}, "it has 2 files called demo"),
        ({"other": "x"}, "it has 0 files called demo"),
        ({"../demo": "x"}, "leads outside"),
    ],
)
def test_an_archive_that_is_not_what_the_catalog_says_stops_the_lock(
    machine: Machine, content: dict[str, str], error: str
) -> None:
    machine.hub.files["demo.tar.gz"] = archive(content)
    with pytest.raises((NotUpstream, Damaged), match=error):
        machine.lock()


def test_a_plugin_that_is_no_archive_stops_the_lock(machine: Machine) -> None:
    machine.hub.files["plugin.tar.gz"] = b"a program"
    with pytest.raises(NotUpstream, match="no tar archive"):
        machine.lock()


def test_an_index_with_another_wheel_than_pinned_is_refused(machine: Machine) -> None:
    machine.hub.files["needed-1.0-py3-none-any.whl"] = wheel("needed", {"needed.py": "WORD = 'forged'\n"})
    with pytest.raises(NotUpstream, match="the index says"):
        machine.lock()
