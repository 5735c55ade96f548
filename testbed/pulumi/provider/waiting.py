"""Stand-in for pulumi-resource-kubernetes, in no registry: the bounded loops in which operations wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from testbed.pulumi.provider.api import ApiError, is_absent
from testbed.pulumi.provider.kinds import NoMatch
from testbed.pulumi.provider.readiness import NeverReady, Reader, Rule

Object = dict[str, Any]

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0  # one look a second at each object is what this costs the API server
ABSENCE_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)  # the official provider's, when a namespace or a kind is not there yet
SILENCE_PAUSES = (0.5, 0.5, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0)  # when an admission webhook's address refuses


class NotReady(Exception):
    """An object that exists did not become ready; ``live`` is what was last seen of it."""

    def __init__(self, live: Object, reason: str) -> None:
        super().__init__(reason)
        self.live = live


@dataclass(frozen=True)
class Wait:
    """One operation's patience: it ends after ``seconds`` or when ``cancelled`` is set (Ctrl-C).

    ``report`` shows a passing state to the user, ``warn`` what should stay in the record.
    """

    seconds: float
    cancelled: threading.Event
    report: Callable[[str], None]
    warn: Callable[[str], None]

    def looks(self) -> Iterator[None]:
        """Yield once per look, pausing in between, until the time is up or the operation is cancelled."""
        end, pause = time.monotonic() + self.seconds, FIRST_PAUSE
        yield
        while time.monotonic() < end and not self.cancelled.wait(pause):
            pause = min(LONGEST_PAUSE, pause * 1.5)
            yield

    def ending(self) -> str:
        """Why the last look was the last."""
        return "cancelled" if self.cancelled.is_set() else f"timed out after {self.seconds:g} s"


def until_ready(live: Object, rule: Rule, api: Reader, wait: Wait) -> Object:
    """Look until the rule is content and return the object as it is then. Raises NotReady, with the object."""
    meta, reason, reported = live["metadata"], "", ""
    for look, _ in enumerate(wait.looks()):
        try:
            if look:
                live = api.get(live["apiVersion"], live["kind"], meta.get("namespace"), meta["name"])
            found = rule(live, api)
        except (NeverReady, ApiError, ValueError) as error:
            raise NotReady(live, str(error)) from error
        if found is None:
            return live
        reason = found
        if reason != reported and look:
            wait.report(reason)
            reported = reason
    raise NotReady(live, f"{wait.ending()}: {reason}")


def look_once(live: Object, rule: Rule, api: Reader) -> Object:
    """The object if the rule is content with it now. Raises NotReady, with the object."""
    try:
        reason = rule(live, api)
    except NeverReady as error:
        raise NotReady(live, str(error)) from error
    if reason is not None:
        raise NotReady(live, reason)
    return live


def until_gone(read: Callable[[], Object], uid: str | None, wait: Wait) -> None:
    """Look until the object is absent, or another one has its name. Raises TimeoutError with what holds it."""
    live: Object = {}
    for _ in wait.looks():
        try:
            live = read()
        except (ApiError, NoMatch) as error:
            if is_absent(error):
                return
            raise
        if uid and live["metadata"].get("uid") != uid:
            return
    raise TimeoutError(f"still there ({wait.ending()}); {_what_holds(live)}")


def with_retries(send: Callable[[], Object], wait: Wait) -> Object:
    """Send a create or an update, again while its namespace or kind is absent or a webhook is not listening yet."""
    absences, silences = iter(ABSENCE_PAUSES), iter(SILENCE_PAUSES)
    while True:
        try:
            return send()
        except (ApiError, NoMatch) as error:
            pause = None
            if is_absent(error):
                pause = next(absences, None)
            elif isinstance(error, ApiError) and error.is_silent_webhook:
                pause = next(silences, None)
            if pause is None or wait.cancelled.wait(pause):
                raise
            wait.warn(f"tried again after {pause:g} s: {error}")


def _what_holds(live: Object) -> str:
    reasons = [entry.get("message") for entry in (live.get("status") or {}).get("conditions") or []]
    return f"finalizers {live['metadata'].get('finalizers')}, conditions {reasons}"
