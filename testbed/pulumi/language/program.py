"""Stand-in for pulumi-language-python-exec, which no package registry carries: one run of one Pulumi program.

Started as a file, not as a module of this project, so that the program sees only its own directory and what is
installed. Standard input is the engine's RunRequest; exit status 0 is success, 32 an error that the engine knows of.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Any

from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2

BAIL = 32


def main() -> int:
    """Run the program that the request on standard input names."""
    request: Any = language_pb2.RunRequest.FromString(sys.stdin.buffer.read())
    directory = request.info.program_directory or request.pwd
    entry = os.path.normpath(Path(directory, request.info.entry_point or "."))
    sys.argv = [entry]
    sys.path[0] = directory

    def program() -> None:
        runpy.run_path(entry, run_name="__main__")

    response: Any = LanguageServer(program).Run(request, None)  # type: ignore[no-untyped-call]
    return BAIL if response.error else 0


if __name__ == "__main__":
    sys.exit(main())
