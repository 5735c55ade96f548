"""Models in Knative mode over time: revisions, canaries, and servers that take long to start."""

from __future__ import annotations

from smoke_tests.cluster import INFERENCE_SERVICES, Cluster
from smoke_tests.environment import ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.plugin import not_asked
from smoke_tests.rollout import BLUE, GREEN, PERCENT, REQUESTS, Story
from smoke_tests.share import bounds
from smoke_tests.slow_start import USUAL_LIMIT, ColdStart
from smoke_tests.trials import State

GROUP = Group.ROLLOUT


def test_newest_revision(cluster: Cluster, model: ServedModel, facts: dict[str, Fact]) -> None:
    """The newest revision of {model.name} is the one that serves: none waits behind it to become ready."""
    if model.mode != "Knative":
        not_asked(f"{model.name} runs in {model.mode} mode, which has no revisions")
    state = State.of(cluster.get(INFERENCE_SERVICES, model.name, "-n", model.namespace))
    facts["newest"], facts["serves"] = state.newest, state.newest_ready
    assert state.newest, "there is no revision"
    assert state.newest == state.newest_ready, f"{state.newest} is not ready; {state.newest_ready} serves in its place"


def test_broken_revision(rolled_out: Story, facts: dict[str, Fact]) -> None:
    """While a revision that cannot start is rolled out, the one before answers every request."""
    seen = rolled_out.while_broken
    facts["how it ended"] = rolled_out.crash
    facts["requests"], facts["seconds"] = len(seen), round(seen[-1].at - seen[0].at, 1)
    assert len(seen) > 10, f"only {len(seen)} requests were made in that time"
    others = {a.error or a.revision for a in seen} - {BLUE}
    assert not others, f"there was also: {others}"


def test_canary(rolled_out: Story, facts: dict[str, Fact]) -> None:
    """A canary of 10 percent gets a tenth of the requests, within what chance allows."""
    least, most = bounds(REQUESTS, PERCENT)
    facts["requests"] = rolled_out.canary.total()
    facts["to the canary"], facts["to the one before"] = rolled_out.canary[GREEN], rolled_out.canary[BLUE]
    facts["with one doubt in a million between"] = f"{least} and {most}"
    assert set(rolled_out.canary) <= {BLUE, GREEN}, f"there was also: {set(rolled_out.canary) - {BLUE, GREEN}}"
    assert least <= rolled_out.canary[GREEN] <= most, f"the canary got {rolled_out.canary[GREEN]} of {REQUESTS}"


def test_rollback(rolled_out: Story, facts: dict[str, Fact]) -> None:
    """Called back by one setting, the canary gets nothing more, and nothing has to start for it."""
    facts["seconds until its last answer"] = round(rolled_out.back_seconds, 1)
    facts["requests after that"] = rolled_out.after.total()
    assert set(rolled_out.after) == {BLUE}, f"afterwards there was also: {set(rolled_out.after) - {BLUE}}"


def test_nothing_lost(rolled_out: Story, facts: dict[str, Fact]) -> None:
    """From the first to the last of these changes not one request fails."""
    failed = [a.error for a in rolled_out.all if a.error]
    facts["requests"], facts["failed"] = len(rolled_out.all), len(failed)
    assert not failed, f"{len(failed)} failed, the first with {failed[0]}"


def test_slow_start(cold_start: ColdStart, facts: dict[str, Fact]) -> None:
    """A request that has to wait more than five minutes for a model's only replica to start is answered."""
    facts["seconds"] = round(cold_start.seconds, 1)
    assert cold_start.text, "the answer is empty"
    assert cold_start.seconds > USUAL_LIMIT, f"it took {cold_start.seconds:.0f} s only, which proves nothing"
