"""Files of the Go modules that upstream's charts and release manifests are made from."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from mirror.errors import BadInput, ToolMissing

_TESTBED = Path(__file__).parent.parent
# The go.mod that pins each module is the one its programs are built from, so that chart and program agree.
_PINNED_BY = {
    "istio.io/istio": "toolchain/gomods/istio",
    "knative.dev/serving": "toolchain/gomods/knative",
    "knative.dev/networking": "toolchain/gomods/knative",
    "knative.dev/caching": "toolchain/gomods/knative",
    "github.com/kserve/kserve": "toolchain/gomods/kserve",
    "github.com/cert-manager/cert-manager": "upstream/standins/cert-manager",
}
_NO_PROGRAM = {"sigs.k8s.io/gateway-api": "v1.5.1"}


def version(module: str) -> str:
    """The version of ``module`` that the rehearsal uses."""
    if module in _NO_PROGRAM:
        return _NO_PROGRAM[module]
    file = _TESTBED / _PINNED_BY[module] / "go.mod"
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", file.read_text(), re.MULTILINE)
    if not found:
        raise BadInput(str(file), f"it does not require {module}", "Require it.")
    return found[1]


@cache
def directory(module: str) -> Path:
    """Where the module's files lie, downloaded if need be; raises ToolMissing when Go cannot get them."""
    with tempfile.TemporaryDirectory() as nowhere:  # outside of any module, so that no go.mod is touched
        command = ["go", "mod", "download", "-json", f"{module}@{version(module)}"]
        try:
            done = subprocess.run(command, cwd=nowhere, capture_output=True, text=True)
        except FileNotFoundError as e:
            raise ToolMissing("go", "it is not on PATH", "Install Go.") from e
    answer = json.loads(done.stdout or "{}")
    if "Dir" not in answer:
        raise ToolMissing(" ".join(command), answer.get("Error") or done.stderr.strip(), "Look at its message.")
    return Path(answer["Dir"])
