"""The story of a model that is rolled out, watched from outside from its first answer to its last.

Blue serves. A revision that cannot start is rolled out; then green, as a canary; then the canary is called back.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

import openai

from mirror.errors import ToolMissing

from .cluster import Cluster, wait_until
from .environment import Environment, ServedModel
from .trials import Trial

NAME = "sealift-trial"
"""Of the model that is rolled out."""
BLUE, GREEN = "blue", "green"
PERCENT = 10
REQUESTS = 300
AFTER = 50
"""Requests after the canary was called back."""
STEP_SECONDS = 900
"""As long as a deployment waits for a model to become ready."""
_AT_ONCE = 4
_A_FEW = 30
_BROKEN = ["python3", "-c", "raise SystemExit('this revision cannot start')"]
"""Ends at once. Each start of a server that ends of a wrong argument takes a minute of processor from the others."""
_PAUSE = 1.0
"""Seconds between two questions of the one who asks all the time: a tenant has so many a minute."""
_SETTLING = 5
"""Seconds in which the gateway learns of it; whatever comes later is counted."""


@dataclass(frozen=True)
class Answer:
    """One request: which revision answered, or what went wrong."""

    at: float
    revision: str
    error: str = ""


@dataclass(frozen=True)
class Story:
    """What happened."""

    crash: str
    """How the server of the revision that cannot start ended."""
    while_broken: list[Answer]
    """From before the broken revision was made until its server had ended, and so many that it means something."""
    canary: Counter[str]
    """Answers by revision while the canary had its part of the traffic."""
    back_seconds: float
    """From calling the canary back to the last request that it answered."""
    after: Counter[str]
    """Answers by revision after that."""
    all: list[Answer]
    """Of the one who asked all the time, and of those who asked while the canary was called back."""


def trial(environment: Environment, cluster: Cluster, like: ServedModel) -> Trial:
    """The model that is rolled out."""
    return Trial(environment, cluster, like, NAME)


def asked(client: openai.OpenAI, model: str) -> Answer:
    """Ask once. The revisions call themselves by OpenAI's system_fingerprint."""
    at = time.monotonic()
    try:
        answer = client.completions.create(model=model, prompt="Who are you?", max_tokens=1)
    except openai.OpenAIError as e:
        return Answer(at, "", f"{type(e).__name__}: {e}")
    return Answer(at, answer.system_fingerprint or "")


def tell(trial: Trial) -> Story:
    """Make the model, roll it out, and remove it. Raises ToolMissing when a step is never reached."""
    try:
        trial.make(*_fingerprint(BLUE))
        _until("the first revision is ready", trial, lambda: trial.state().settled)
        with _watching(trial) as seen:
            return _rolled(trial, seen)
    finally:
        trial.remove()


def _rolled(trial: Trial, seen: list[Answer]) -> Story:
    first = trial.state().newest
    begun = time.monotonic()
    trial.make(*_fingerprint("broken"), model={"command": _BROKEN})
    _until("the broken revision is made", trial, lambda: trial.state().newest != first)
    broken = trial.state().newest
    _until("the broken revision's server has ended", trial, lambda: bool(trial.crash(broken)))
    _until("it was asked meanwhile", trial, lambda: sum(a.at >= begun for a in seen) >= _A_FEW)
    time.sleep(_SETTLING)
    crash, while_broken = trial.crash(broken), [a for a in seen if a.at >= begun]

    trial.make(*_fingerprint(GREEN), canaryTrafficPercent=PERCENT)
    _until("the canary is ready", trial, lambda: trial.state().newest != broken and trial.state().settled)
    _until("the canary answers", trial, lambda: any(a.revision == GREEN for a in seen))
    canary = _answers(trial, REQUESTS)

    called_back = time.monotonic()
    trial.make(*_fingerprint(GREEN), canaryTrafficPercent=0)
    meanwhile: list[Answer] = []

    def is_back() -> bool:
        meanwhile.extend(_answers(trial, _A_FEW))
        return trial.state().traffic.get(first) == 100

    _until("the canary is called back", trial, is_back)
    meanwhile += _answers(trial, _A_FEW)
    time.sleep(_SETTLING)
    after = _answers(trial, AFTER)
    last = max((a.at for a in meanwhile if a.revision == GREEN), default=called_back)
    return Story(crash, while_broken, _revisions(canary), last - called_back, _revisions(after), [*seen, *meanwhile])


def _fingerprint(name: str) -> tuple[str, str]:
    return "--fingerprint-mode=custom", f"--fingerprint-value={name}"


def _until(what: str, trial: Trial, reached: Callable[[], bool]) -> None:
    """Wait for it. A busy API server that once gives no answer does not end the story."""

    def asked() -> bool:
        try:
            return reached()
        except ToolMissing:
            return False

    if not wait_until(asked, seconds=STEP_SECONDS, every=1):
        why = f"after {STEP_SECONDS} s not yet: {what}: {trial.account()}"
        raise ToolMissing(f"the rollout of {trial.name}", why, "See its events.")


def _answers(trial: Trial, requests: int) -> list[Answer]:
    with trial.client() as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda _: asked(client, trial.name), range(requests)))


def _revisions(answers: list[Answer]) -> Counter[str]:
    return Counter(a.error or a.revision for a in answers)


@contextmanager
def _watching(trial: Trial) -> Iterator[list[Answer]]:
    """Ask the model all the time; what it answers is added to the list."""
    seen: list[Answer] = []
    over = Event()

    def watch() -> None:
        with trial.client() as client:
            while not over.is_set():
                seen.append(asked(client, trial.name))
                over.wait(_PAUSE)

    thread = Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
