"""What chance allows a canary."""

import random

import pytest

from smoke_tests.share import bounds


@pytest.mark.parametrize(("requests", "percent"), [(300, 10), (1000, 10), (300, 50), (40, 90)])
def test_the_bounds_hold_what_chance_brings(requests: int, percent: int) -> None:
    least, most = bounds(requests, percent)
    drawn = random.Random(7)
    counts = [sum(drawn.random() < percent / 100 for _ in range(requests)) for _ in range(300)]
    assert least <= min(counts) and max(counts) <= most
    assert least < requests * percent / 100 < most


def test_the_bounds_of_ten_percent_exclude_no_canary_and_an_even_split() -> None:
    least, most = bounds(300, 10)
    assert least > 0
    assert most < bounds(300, 50)[0]


def test_nothing_and_all_leave_nothing_to_chance() -> None:
    assert bounds(300, 0) == (0, 0)
    assert bounds(300, 100) == (300, 300)


def test_more_doubt_is_allowed_closer_bounds() -> None:
    assert bounds(300, 10, 1e-2)[0] > bounds(300, 10, 1e-6)[0]
    assert bounds(300, 10, 1e-2)[1] < bounds(300, 10, 1e-6)[1]
