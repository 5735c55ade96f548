"""The cgroup below which the kubelet keeps its pods: one in every controller of cgroup v1, one in all of cgroup v2."""

from __future__ import annotations

from pathlib import Path

from .processes import wait_until

_ROOT = Path("/sys/fs/cgroup")


def unified(root: Path = _ROOT) -> bool:
    """Whether the machine has cgroup v2 alone (the file is only in the root of a v2 hierarchy; cgroups(7))."""
    return (root / "cgroup.controllers").exists()


def hierarchies(root: Path = _ROOT) -> list[Path]:
    """The mount points of all hierarchies; a v1 machine has links for controllers that share one."""
    if unified(root):
        return [root]
    return sorted(d for d in root.iterdir() if d.is_dir() and not d.is_symlink()) if root.exists() else []


def create(name: str, root: Path = _ROOT) -> None:
    """Make the cgroup ``name``. A second kubelet on the machine then has pods of its own and ends no foreign ones."""
    for hierarchy in hierarchies(root):
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        if unified(root):
            # A controller that another program of the machine keeps off cannot be had below it; the kubelet says so.
            enabled = "".join(f"+{controller} " for controller in _words(hierarchy / "cgroup.controllers"))
            for parent in (hierarchy, group):
                (parent / "cgroup.subtree_control").write_text(enabled)
        if (hierarchy / "cpuset.cpus").exists() and not unified(root):
            for file in ("cpuset.cpus", "cpuset.mems"):  # empty in a new v1 cpuset, which then takes no process
                (group / file).write_text((hierarchy / file).read_text())


def remove(name: str, root: Path = _ROOT) -> None:
    """Remove the cgroup ``name`` and all below it; its processes must have ended, the kernel may need a moment."""
    for hierarchy in hierarchies(root):
        group = hierarchy / name
        if group.exists():
            wait_until(f"removing {group}", lambda group=group: _removed(group), seconds=10)  # type: ignore[misc]


def _removed(group: Path) -> bool:
    """Whether ``group`` could be removed, the deepest first."""
    try:
        for directory in sorted((d for d in group.rglob("*") if d.is_dir()), reverse=True):
            directory.rmdir()
        group.rmdir()
    except FileNotFoundError:
        return not group.exists()
    except OSError:  # EBUSY: a process in it is not yet gone
        return False
    return True


def _words(file: Path) -> list[str]:
    return file.read_text().split()
