"""How many requests of a number go to one of two revisions, if chance alone decides by a given share."""

from __future__ import annotations

from math import comb


def bounds(requests: int, percent: int, doubt: float = 1e-6) -> tuple[int, int]:
    """The fewest and the most of ``requests`` that a revision with ``percent`` of the traffic gets.

    A count outside of them has a probability of at most ``doubt`` (the binomial distribution, both tails together).
    """
    share = percent / 100
    chances = [comb(requests, k) * share**k * (1 - share) ** (requests - k) for k in range(requests + 1)]
    return _tail(chances, doubt / 2), requests - _tail(chances[::-1], doubt / 2)


def _tail(chances: list[float], doubt: float) -> int:
    """The first count at which the chances of all lower ones and its own add up to more than ``doubt``."""
    total = 0.0
    for count, chance in enumerate(chances):
        total += chance
        if total > doubt:
            return count
    raise ValueError("the chances do not add up to one")
