"""``python -m benchmarks.mirror``: Sealift's mirror beside its peers, as multiples of the limit.

Runs in namespaces of its own (network, processes, mounts), so that the bytes counted are the run's alone and nothing
of it stays. Needs Debian's skopeo and docker-registry; crane, regctl, zarf and distribution 3 are built once.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from ..refusal import told
from .inside import Run
from .peers import built, known, needed

SEED = "sealift"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mirror", description=__doc__.split("\n\n")[0])
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="How often each program has its turn.")
    parser.add_argument("--scale", type=float, default=1.0, help="Of all sizes: 0.25 is a quarter of the content.")
    parser.add_argument("--seed", default=SEED, help="Of the content.")
    parser.add_argument("--tools", nargs="+", metavar="NAME", help=f"Only these of: {', '.join(known())}.")
    parser.add_argument(
        "--registry", choices=["2", "3"], default="2", help="Release of distribution that is loaded into."
    )
    parser.add_argument("--work", type=Path, help="Where all is written, and removed again; else below /var/tmp.")
    parser.add_argument("--content", type=Path, help="Make the content there, or use what is there, and leave it.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="Write samples and table there too.")
    return parser.parse_args(given)


def main() -> int:
    """Build what is missing, then measure in namespaces."""
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # What is on the disk is removed then too.
    found = built(given.tools or known(), given.registry, lambda line: print(f"  {line}", flush=True))
    with tempfile.TemporaryDirectory(prefix="sealift-bench-", dir=given.work or Path("/var/tmp")) as work:  # noqa: S108
        needed(Path(work), found.tools, given.scale)
        run = Run(
            work=Path(work),
            upstream=(given.content or Path(work) / "upstream").absolute(),
            json_file=given.json and given.json.absolute(),
            repeat=given.repeat,
            scale=given.scale,
            seed=given.seed,
            found=found,
        )
        file = Path(work) / "run.json"
        run.write(file)
        return _apart([sys.executable, "-m", "benchmarks.mirror.inside", str(file)])


def _apart(command: list[str]) -> int:
    """Run ``command`` as the first process of namespaces of its own; ends with it, whatever it started."""
    apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return subprocess.run([*apart, *user, *command], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(told(main))
