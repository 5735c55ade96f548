import io

import pytest
from rich.console import Console

from testbed.rehearsal.timeline import Timeline


def quiet() -> tuple[Timeline, io.StringIO]:
    out = io.StringIO()
    return Timeline(Console(file=out, width=200)), out


def test_a_step_is_kept_with_its_result_and_its_facts() -> None:
    timeline, out = quiet()
    with timeline.step("lock"):
        timeline.report("reading")
        timeline.fact("images", 24)
    (step,) = timeline.steps
    assert (step.name, step.result, step.facts) == ("lock", "done", {"images": 24})
    assert "reading" in out.getvalue()
    assert "images 24" in out.getvalue()


def test_a_step_that_raises_is_kept_as_failed_and_the_error_goes_on() -> None:
    timeline, _ = quiet()
    with pytest.raises(ValueError, match="no"), timeline.step("load"):
        raise ValueError("no")
    assert timeline.steps[0].result == "failed"
