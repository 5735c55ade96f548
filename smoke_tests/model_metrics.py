"""What a model server says of its work. Read inside its container: its metrics are open to nobody outside."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mirror.errors import BadInput

from .cluster import Cluster
from .environment import ServedModel
from .predictors import MODEL_SERVER, replica

_READ = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/metrics', timeout=10).read().decode())"


@dataclass(frozen=True)
class Work:
    """Of one replica, at one moment."""

    running: int
    """Answers that it is generating; a request for several counts as several."""
    generated: int
    """Tokens since it started."""

    @classmethod
    def parse(cls, metrics: str) -> Work:
        """From vLLM's metrics (Prometheus text), all engines together."""
        return cls(_sum(metrics, "vllm:num_requests_running"), _sum(metrics, "vllm:generation_tokens_total"))


def work(cluster: Cluster, model: ServedModel) -> Work:
    """Of a replica of ``model``; raises BadInput when there is none."""
    found = replica(cluster, model)
    if found is None:
        raise BadInput(f"model {model.namespace}/{model.name}", "no replica of it is ready", "Ask it something first.")
    command = ("python3", "-c", _READ.format(port=found.port))
    return Work.parse(cluster.exec(found.pod, model.namespace, MODEL_SERVER, *command))


def _sum(metrics: str, name: str) -> int:
    found = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", metrics, re.MULTILINE)
    return round(sum(float(value) for value in found))
