"""The upstream side by itself: ``python -m testbed.upstream --cache DIR --binaries DIR [--serve STATE]``."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from mirror.errors import SealiftError

from .upstream import REGISTRY_PORT, WEB_PORT, Upstream


def main() -> int:
    """Prepare, and serve until interrupted if a state directory is given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--binaries", type=Path, required=True)
    parser.add_argument("--serve", type=Path, metavar="STATE")
    parser.add_argument("--registry-port", type=int, default=REGISTRY_PORT)
    parser.add_argument("--web-port", type=int, default=WEB_PORT)
    given = parser.parse_args()
    upstream = Upstream(given.cache, given.binaries, lambda what: print(what, flush=True))
    try:
        upstream.prepare()
        if given.serve:
            with upstream.start(given.serve, registry_port=given.registry_port, web_port=given.web_port) as running:
                running.source_map.write(given.serve / "source-map.yaml")
                print(f"serving; source map in {given.serve / 'source-map.yaml'}", flush=True)
                ends = {signal.SIGINT, signal.SIGTERM}
                signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # only now: the servers inherit what is blocked
                signal.sigwait(ends)
    except SealiftError as e:
        print(f"{e}\n{e.instead}", file=sys.stderr)
        return e.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
