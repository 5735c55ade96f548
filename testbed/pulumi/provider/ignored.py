"""Stand-in for pulumi-resource-kubernetes, in no registry: the ``ignoreChanges`` option during an update.

Server-side apply would set an ignored field back to the program's value; it is sent as it is on the live object.
"""

from __future__ import annotations

import re

from testbed.pulumi.provider.properties import Json

Step = str | int

_STEP = re.compile(r"""\.?([^.\[\]]+)|\[(\d+|\*)\]|\["((?:[^"\\]|\\.)+)"\]""")


def parse(text: str) -> tuple[Step, ...]:
    """A property path: ``webhooks[*].rules``, ``metadata.annotations["a.b/c"]``."""
    steps: list[Step] = []
    for name, index, quoted in _STEP.findall(text):
        steps.append(int(index) if index.isdigit() else name or index or quoted)
    return tuple(steps)


def covers(ignored: tuple[Step, ...], path: tuple[Step, ...]) -> bool:
    """Whether a path is an ignored one or lies inside it; ``*`` stands for any step."""
    if len(path) < len(ignored):
        return False
    return all(left in ("*", right) for left, right in zip(ignored, path, strict=False))


def keep_live(inputs: Json, live: Json, path: tuple[Step, ...]) -> Json:
    """The inputs with the live value at a path; without it when the live object has nothing there."""
    if not path:
        return live
    step, rest = path[0], path[1:]
    if isinstance(inputs, dict) and isinstance(live, dict):
        keys = list(inputs) if step == "*" else [step]
        kept = {
            key: keep_live(inputs.get(key), live[key], rest)
            for key in keys
            if key in live and (key in inputs or not rest)
        }
        return {**{key: item for key, item in inputs.items() if rest or key not in keys}, **kept}
    if isinstance(inputs, list) and isinstance(live, list):
        chosen = range(len(inputs)) if step == "*" else [step]
        pairs = zip(inputs, live, strict=False)
        merged = [keep_live(item, seen, rest) if at in chosen else item for at, (item, seen) in enumerate(pairs)]
        return merged + inputs[len(merged) :]
    return inputs
