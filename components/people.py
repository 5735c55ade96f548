"""Who may do what: the site's groups, bound to the roles of people. A group that no stack names has nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pulumi

from mirror.errors import BadInput

from .documents import Document, annotated
from .manifests import Registered, register
from .namespaces import PLATFORM
from .network import REASON
from .roles import AUDITOR, BREAK_GLASS, ENGINEER, OPERATOR, cluster_role
from .site import Site

BREAK_GLASS_GROUP = "sealift:break-glass"
"""Whoever authenticates as a member of it has the break-glass role, while there is a binding."""
_KUBERNETES_OWN = "system:"


@dataclass(frozen=True)
class Engineers:
    """A group of ML engineers and the namespaces whose models are theirs."""

    group: str
    namespaces: tuple[str, ...]


@dataclass(frozen=True)
class BreakGlass:
    """Why the glass is broken, and until when (with its time zone)."""

    reason: str
    until: datetime


@dataclass(frozen=True)
class People:
    """The groups of a site, as its identity provider names them."""

    engineers: Sequence[Engineers] = ()
    auditors: Sequence[str] = ()
    operators: Sequence[str] = ()
    break_glass: BreakGlass | None = None

    @property
    def groups(self) -> list[str]:
        """All of them."""
        return [*(e.group for e in self.engineers), *self.auditors, *self.operators]

    @property
    def namespaces(self) -> set[str]:
        """Where engineers work."""
        return {n for e in self.engineers for n in e.namespaces}


@dataclass(frozen=True)
class RolesArgs:
    """Who there is."""

    site: Site
    people: People
    after: Sequence[pulumi.Resource] = field(default_factory=list)
    """The namespaces that engineers work in."""


class Roles(pulumi.ComponentResource):
    """The roles and their bindings."""

    registered: Registered

    def __init__(self, name: str, args: RolesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:Roles", name, None, opts)
        self.registered = register(args.site, documents(args.people), self, args.after)
        self.register_outputs({"groups": args.people.groups})


def documents(people: People) -> list[Document]:
    """The four roles, and a binding for each group that ``people`` names."""
    made = [cluster_role(r) for r in (ENGINEER, AUDITOR, OPERATOR, BREAK_GLASS)]
    for namespace in sorted(people.namespaces):
        groups = [e.group for e in people.engineers if namespace in e.namespaces]
        made.append(_binding("RoleBinding", ENGINEER, groups, namespace))
    for role, members in ((AUDITOR, people.auditors), (OPERATOR, people.operators)):
        if members:
            made.append(_binding("ClusterRoleBinding", role, members))
    if people.break_glass:
        made.append(_broken(people.break_glass))
    return made


def check(people: People, now: datetime | None = None) -> None:
    """Raise BadInput for groups that are Kubernetes' own, engineers in the platform's namespaces, and an expired glass.

    ``now`` is the clock's, in UTC, unless it is given.
    """
    for group in people.groups:
        if group.startswith(_KUBERNETES_OWN) or group == BREAK_GLASS_GROUP:
            raise BadInput(
                f"group {group}",
                "it is not the site's own: such groups hold everybody who logs in, or whole parts of the cluster",
                "Name a group of your identity provider.",
            )
    if wrong := sorted(people.namespaces & {*PLATFORM, "default", "kube-system", "kube-public", "kube-node-lease"}):
        raise BadInput(
            f"engineers in namespace {', '.join(wrong)}",
            "it is not a namespace of models: who may make one there could take the platform over",
            "Name namespaces of models.",
        )
    glass = people.break_glass
    if glass and glass.until <= (now or datetime.now(UTC)):
        raise BadInput(
            f"breakGlass until {_time(glass.until)}",
            "that time is over, and the binding may still be in the cluster",
            "Remove breakGlass from the stack and run pulumi up; give a new time and reason if it is still needed.",
        )


def outputs(people: People) -> dict[str, Any]:
    """What a stack exports of it: names of groups and namespaces."""
    return {
        "engineers": [{"group": e.group, "namespaces": list(e.namespaces)} for e in people.engineers],
        "auditors": list(people.auditors),
        "operators": list(people.operators),
        "breakGlass": people.break_glass is not None,
    }


def _broken(glass: BreakGlass) -> Document:
    binding = _binding("ClusterRoleBinding", BREAK_GLASS, [BREAK_GLASS_GROUP])
    return annotated(binding, {REASON: f"{glass.reason} (until {_time(glass.until)})"})


def _time(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _binding(kind: str, role: str, groups: Iterable[str], namespace: str | None = None) -> Document:
    api = "rbac.authorization.k8s.io"
    place = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": f"{api}/v1",
        "kind": kind,
        "metadata": {"name": role, **place, "labels": {"app.kubernetes.io/part-of": "sealift"}},
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": api, "kind": "Group", "name": g} for g in groups],
    }
