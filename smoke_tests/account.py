"""How a model stands, in a few words, for whoever waited for it in vain."""

from __future__ import annotations

from mirror.errors import ToolMissing

from .cluster import INFERENCE_SERVICE, INFERENCE_SERVICES, Cluster, Document
from .predictors import MODEL_SERVER

_LINE = 200  # characters of a server's last line


def of(cluster: Cluster, name: str, namespace: str) -> str:
    """What KServe says of the model, how its pods' containers stand, and the last line that each server wrote.

    Never raises: what the cluster refuses to tell is said in its place.
    """
    try:
        model = cluster.get(INFERENCE_SERVICES, name, "-n", namespace)
        pods = cluster.items("pods", "-n", namespace, "-l", f"{INFERENCE_SERVICE}={name}")
        return "; ".join([*_conditions(model), *(_pod(cluster, p) for p in pods)]) or "it has no status and no pod"
    except ToolMissing as e:
        return e.why


def _conditions(model: Document) -> list[str]:
    """Those that do not hold."""
    given = (model.get("status") or {}).get("conditions") or []
    said = [(c["type"], c["status"], c.get("reason", ""), c.get("message", "")) for c in given if c["status"] != "True"]
    return [" ".join(filter(None, (f"{kind} is {status}", reason, message))) for kind, status, reason, message in said]


def _pod(cluster: Cluster, pod: Document) -> str:
    metadata, status = pod["metadata"], pod.get("status") or {}
    unscheduled = [c.get("message", "") for c in status.get("conditions") or [] if c["type"] == "PodScheduled"]
    containers = [_container(c) for c in status.get("containerStatuses") or []] or unscheduled
    ending = ", being deleted" if "deletionTimestamp" in metadata else ""
    last = _last_line(cluster, pod)
    return f"pod {metadata['name']} {status.get('phase', 'unknown')}{ending}: {', '.join(containers)}{last}"


def _container(status: Document) -> str:
    if status.get("ready"):
        return f"{status['name']} ready"
    [(state, detail)] = (status.get("state") or {"unknown": {}}).items()
    since = f" since {detail['startedAt']}" if state == "running" and "startedAt" in detail else ""
    words = [status["name"], state, detail.get("reason", ""), f"restarts {status.get('restartCount', 0)}"]
    return " ".join(filter(None, words)) + since


def _last_line(cluster: Cluster, pod: Document) -> str:
    started = [c for c in (pod.get("status") or {}).get("containerStatuses") or [] if "waiting" not in c["state"]]
    if not any(c["name"] == MODEL_SERVER for c in started):
        return ""
    which = (pod["metadata"]["name"], "-n", pod["metadata"]["namespace"], "--prefix")
    lines = [x for x in cluster.logs(*which).splitlines() if x.partition("] ")[0].endswith(f"/{MODEL_SERVER}")]
    return f", last wrote {lines[-1].partition('] ')[2][:_LINE]!r}" if lines else ", wrote nothing"
