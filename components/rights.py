"""Taking rights out of upstream's roles: pure functions over the rules of a Role or ClusterRole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .documents import Document, key
from .documents import without as left_out

Rule = dict[str, Any]
Change = Callable[[Sequence[Rule]], list[Rule]]


class Edit(Protocol):
    """A change of the documents of one part."""

    @property
    def why(self) -> str:
        """What makes it safe."""

    def made(self, documents: list[Document]) -> list[Document]:
        """``documents`` with the change; raises KeyError when there is nothing to change."""


@dataclass(frozen=True)
class Dropped:
    """Objects that nothing here uses, by key."""

    why: str
    keys: tuple[str, ...]

    def made(self, documents: list[Document]) -> list[Document]:
        """See :class:`Edit`."""
        return left_out(documents, self.keys)


@dataclass(frozen=True)
class Without:
    """Rights of a role that the platform, as it is set up, never uses."""

    why: str
    role: str
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...] = ()
    """None: all of them."""

    def made(self, documents: list[Document]) -> list[Document]:
        """See :class:`Edit`."""
        return _in_role(self.role, documents, lambda r: cut(r, self.group, self.resources, self.verbs))


@dataclass(frozen=True)
class Named:
    """A rule with a wildcard, with what it stands for here in its place."""

    why: str
    role: str
    group: str
    """Of the rule with the wildcard; ``*`` where the group itself is one."""
    resources: dict[str, tuple[str, ...]]
    """What it stands for, by API group."""
    verbs: tuple[str, ...] = ()
    """Those of the rule, unless they are given: for a wildcard among them."""

    def made(self, documents: list[Document]) -> list[Document]:
        """See :class:`Edit`."""
        return _in_role(self.role, documents, lambda r: spelt_out(r, self.group, self.resources, self.verbs))


@dataclass(frozen=True)
class Only:
    """Rights that are kept, but for objects of these names alone."""

    why: str
    role: str
    group: str
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...]

    def made(self, documents: list[Document]) -> list[Document]:
        """See :class:`Edit`."""
        kept = {"apiGroups": [self.group], "resources": [self.resource], "verbs": list(self.verbs)}

        def narrowed(rules: Sequence[Rule]) -> list[Rule]:
            return [
                *cut(rules, self.group, (self.resource,), self.verbs),
                {**kept, "resourceNames": list(self.names)},
            ]

        return _in_role(self.role, documents, narrowed)


@dataclass(frozen=True)
class Confined:
    """Rights that are taken everywhere and given back, by a ClusterRole of ours, in the namespaces of models alone."""

    why: str
    role: str
    into: str
    """Name of our ClusterRole; whoever has ``role`` is bound to it in each namespace of models."""
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]

    def made(self, documents: list[Document]) -> list[Document]:
        """See :class:`Edit`."""
        left = _in_role(self.role, documents, lambda r: cut(r, self.group, self.resources, self.verbs))
        ours = f"clusterrole/{self.into}"
        made = next((d for d in left if key(d) == ours), _cluster_role(self.into))
        rule = {"apiGroups": [self.group], "resources": list(self.resources), "verbs": list(self.verbs)}
        return [*(d for d in left if key(d) != ours), {**made, "rules": [*made["rules"], rule]}]


@dataclass(frozen=True)
class Added:
    """Documents that give back, in one namespace, what was taken everywhere."""

    why: str
    documents: tuple[Document, ...]

    def made(self, documents: list[Document]) -> list[Document]:
        """See :class:`Edit`."""
        return [*documents, *self.documents]


def cut(rules: Sequence[Rule], group: str, resources: Sequence[str], verbs: Sequence[str] = ()) -> list[Rule]:
    """``rules`` without ``verbs`` (none: all) on ``resources`` of ``group``; raises KeyError for what no rule grants.

    Rules are cut as texts: a wildcard only matches itself.
    """
    missing = {(r, v) for r in resources for v in verbs or ("",)}
    left: list[Rule] = []
    for rule in rules:
        met = [r for r in rule.get("resources", ()) if r in resources]
        gone = [v for v in rule["verbs"] if v in verbs or not verbs]
        if group not in rule.get("apiGroups", ()) or not met or not gone:
            left.append(rule)
            continue
        missing -= {(r, v) for r in met for v in (gone if verbs else ("",))}
        others = [g for g in rule["apiGroups"] if g != group]
        spared = [r for r in rule["resources"] if r not in resources]
        kept = [v for v in rule["verbs"] if v not in gone]
        left += [{**rule, "apiGroups": others}] if others else []
        left += [{**rule, "apiGroups": [group], "resources": spared}] if spared else []
        left += [{**rule, "apiGroups": [group], "resources": met, "verbs": kept}] if kept else []
    if missing:
        said = ", ".join(sorted(" ".join(m).strip() for m in missing))
        raise KeyError(f"no rule of it grants {said} of group {group or 'core'}")
    return left


def spelt_out(
    rules: Sequence[Rule], group: str, resources: dict[str, tuple[str, ...]], verbs: Sequence[str] = ()
) -> list[Rule]:
    """``rules`` with ``resources`` in place of the wildcards over ``group``; raises KeyError when there are none."""
    made: list[Rule] = []
    met = False
    for rule in rules:
        wild = _is_wild([*rule.get("apiGroups", ()), *rule.get("resources", ()), *rule["verbs"]])
        if group not in rule.get("apiGroups", ()) or not wild:
            made.append(rule)
            continue
        met = True
        others = [g for g in rule["apiGroups"] if g != group]
        made += [{**rule, "apiGroups": others}] if others else []
        for found, listed in resources.items():
            made.append({"apiGroups": [found], "resources": list(listed), "verbs": list(verbs or rule["verbs"])})
    if not met:
        raise KeyError(f"it has no wildcard over group {group or 'core'}")
    return made


def _cluster_role(name: str) -> Document:
    labels = {"app.kubernetes.io/part-of": "sealift"}
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "rules": []}


def _is_wild(words: Iterable[str]) -> bool:
    return any("*" in w for w in words)


def _in_role(role: str, documents: list[Document], change: Change) -> list[Document]:
    if role not in {key(d) for d in documents}:
        raise KeyError(f"no document called {role}")
    try:
        return [{**d, "rules": change(d["rules"])} if key(d) == role else d for d in documents]
    except KeyError as e:
        raise KeyError(f"{role}: {e.args[0]}") from e
