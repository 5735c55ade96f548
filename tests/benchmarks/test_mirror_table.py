import pytest

from benchmarks.mirror.content import Content, Published
from benchmarks.mirror.measure import Measured
from benchmarks.mirror.rounds import LIMIT, Sample, Step
from benchmarks.mirror.table import Row, rows, text, verdicts

MB = 10**6


def content() -> Content:
    image = Published(repository="a", digest="sha256:" + "0" * 64, size=100 * MB)
    return Content(
        seed="s", scale=1, images=[image], changed=image, unique=100 * MB, changed_bytes=10 * MB, blobs=[("a", "b", 1)]
    )


def sample(tool: str, wall: float, step: Step = "create", repetition: int = 0, **more: float) -> Sample:
    cost = {"cpu": wall, "registry_cpu": 0.0, "rss": 20 * MB, "disk": 100 * MB, "wire": 100 * MB, **more}
    return Sample(repetition=repetition, tool=tool, step=step, measured=Measured(wall=wall, **cost))  # type: ignore[arg-type]


def failed(tool: str, repetition: int) -> Sample:
    return Sample(repetition=repetition, tool=tool, step="create", measured=None, failed="exit status 1")


def only(table: list[Row], tool: str, step: Step = "create") -> Row:
    (found,) = [r for r in table if (r.tool, r.step) == (tool, step)]
    return found


def test_a_time_is_a_multiple_of_the_limit_of_its_own_repetition() -> None:
    slow = [sample(LIMIT, 10, repetition=1), sample("crane", 20, repetition=1)]
    table = rows([sample(LIMIT, 1), sample("crane", 2), *slow], content())
    assert only(table, "crane").wall == 2
    assert only(table, "crane").seconds == 11


def test_median_and_best_are_over_the_repetitions_that_succeeded() -> None:
    limits = [sample(LIMIT, 1, repetition=r) for r in range(4)]
    found = [sample("crane", w, repetition=r) for r, w in enumerate((5, 2, 3))]
    row = only(rows([*limits, *found, failed("crane", 3)], content()), "crane")
    assert (row.wall, row.best, row.samples) == (3, 2, 3)


def test_the_limit_of_a_repetition_is_the_median_of_those_before_each_turn() -> None:
    table = rows([sample(LIMIT, 1), sample(LIMIT, 2), sample(LIMIT, 30), sample("crane", 4)], content())
    assert only(table, "crane").wall == 2


def test_a_program_that_never_succeeded_has_no_row() -> None:
    assert {r.tool for r in rows([sample(LIMIT, 1), failed("crane", 0)], content())} == {LIMIT}


def test_bytes_are_multiples_of_what_the_step_must_move() -> None:
    samples = [
        sample(LIMIT, 1),
        sample("crane", 1, wire=106 * MB),
        sample("crane", 1, "create changed", wire=15 * MB, disk=10 * MB),
        sample("crane", 1, "load again", wire=2 * MB),
    ]
    table = rows(samples, content())
    assert only(table, "crane").wire == pytest.approx(1.06)
    assert only(table, "crane", "create changed").wire == 1.5
    assert only(table, "crane", "load again").wire == 2
    assert "2.00M" in text(table)


def test_peaks_are_the_highest_of_all_repetitions() -> None:
    limits = [sample(LIMIT, 1, repetition=r) for r in range(2)]
    found = [sample("crane", 1, repetition=r, rss=rss, disk=rss) for r, rss in enumerate((90 * MB, 30 * MB))]
    row = only(rows([*limits, *found], content()), "crane")
    assert (row.rss, row.disk) == (90, 0.9)


def test_the_verdict_names_the_fastest_peer_and_who_is_behind() -> None:
    samples = [sample(LIMIT, 1), sample("sealift", 2), sample("crane", 4), sample("regctl", 3)]
    assert verdicts(rows(samples, content())) == ["create: ahead of the best peer (regctl): 0.67 of its time"]
    behind = rows([sample(LIMIT, 1), sample("sealift", 2), sample("crane", 1)], content())
    assert "BEHIND" in verdicts(behind)[0]


def test_rows_stand_by_step_the_limit_first_and_then_the_fastest() -> None:
    samples = [sample("crane", 3), sample("sealift", 2), sample(LIMIT, 1), sample("crane", 1, "load")]
    table = rows(samples, content())
    assert [(r.step, r.tool) for r in table] == [
        ("create", LIMIT),
        ("create", "sealift"),
        ("create", "crane"),
        ("load", "crane"),
    ]
