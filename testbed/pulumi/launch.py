"""The environment in which the ``pulumi`` command finds its plugins: real ones first, stand-ins where there is none.

The stand-ins replace plugins that no package registry carries; where a real plugin is on PATH or installed in the given
Pulumi home, they step aside and are not written.
"""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

STAND_INS = {
    "pulumi-language-python": "testbed.pulumi.language",
    "pulumi-resource-kubernetes": "testbed.pulumi.provider",
}
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Launch:
    """``environment`` is to be laid over the process's own; ``stand_ins`` names the plugins that are not real ones."""

    environment: dict[str, str]
    stand_ins: tuple[str, ...]


def prepare(
    bin_dir: Path,
    python: Path,
    state_dir: Path,
    *,
    passphrase: str,
    checkpoint_each_step: bool = True,
    automatic_log: bool = False,
) -> Launch:
    """Write the launchers that are needed and return the environment for ``pulumi``.

    ``bin_dir`` holds the real ``pulumi``; ``python`` is the virtual environment's interpreter, which needs the SDK,
    grpcio and urllib3; ``state_dir`` gets Pulumi's home, its state and the launchers.

    ``checkpoint_each_step=False`` (PULUMI_SKIP_CHECKPOINTS) saves the state once, at the end: three times as quick
    for a hundred objects, but a killed update forgets what it made. Only for clusters that are thrown away.

    ``automatic_log=False`` puts an empty file where the CLI would make its folder of logs. The CLI then goes on without
    the log that it otherwise writes of every command, which is about half of its CPU time; it has no switch for that.
    """
    home, state, launchers = (state_dir / name for name in ("home", "state", "plugins"))
    for directory in (home, state, launchers):
        directory.mkdir(parents=True, exist_ok=True)
    if not automatic_log and not (home / "logs").exists():
        (home / "logs").touch()
    inherited = os.pathsep.join([str(bin_dir), str(python.parent), os.environ.get("PATH", os.defpath)])
    needed = tuple(name for name in STAND_INS if not _is_real(name, inherited, home))
    for name in STAND_INS:
        (launchers / name).unlink(missing_ok=True)
    for name in needed:
        _write_launcher(launchers / name, python, STAND_INS[name])
    environment = {
        "PATH": os.pathsep.join([str(launchers), inherited]),
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": state.resolve().as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": passphrase,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
        # Both are copies of the whole state at every step, which a rehearsal never goes back to.
        "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
        "PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS": "false",
    }
    if not checkpoint_each_step:
        environment["PULUMI_SKIP_CHECKPOINTS"] = "true"
    return Launch(environment, needed)


def _is_real(name: str, search_path: str, home: Path) -> bool:
    """Whether a plugin other than ours is on the path, or installed by ``pulumi plugin install``."""
    installed = name.removeprefix("pulumi-")  # the folder is plugins/resource-kubernetes-v4.34.2
    return shutil.which(name, path=search_path) is not None or any((home / "plugins").glob(f"{installed}-v*"))


def _write_launcher(path: Path, python: Path, module: str) -> None:
    """An executable that starts a module of this project from any directory and sets no variable for its children."""
    code = (
        f"import sys; sys.path.insert(0, {str(_ROOT)!r}); import runpy; runpy.run_module({module!r}, alter_sys=True, "
    )
    code += "run_name='__main__')"
    # -P: a folder of the user's program named like a module must not be imported in its place.
    command = shlex.join([str(python.absolute()), "-u", "-P", "-c", code])
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
