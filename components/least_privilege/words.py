"""Words that the tables share."""

from __future__ import annotations

READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete")
PEOPLE = "It widens Kubernetes' view, edit or admin for whoever holds them; people get roles of their own (roles.py)."


def bound(*roles: str) -> tuple[str, ...]:
    """Keys of ClusterRoles and of the bindings that are called as they are."""
    return tuple(f"{kind}/{r}" for r in roles for kind in ("clusterrole", "clusterrolebinding"))
