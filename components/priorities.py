"""In which order pods go when a node has no room for all: models before the platform that they are reached through."""

from __future__ import annotations

from .documents import Document

PLATFORM = "sealift-platform"
MODELS = "sealift-models"
_VALUES = {
    PLATFORM: (1_000_000, "The platform: without it no model is reached and nothing can be changed."),
    MODELS: (100_000, "Models: they give way to the platform, and other workloads of the cluster to them."),
}


def priority_classes() -> list[Document]:
    """The two PriorityClasses; neither is what a pod gets that names none."""
    return [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "globalDefault": False,
            "description": description,
        }
        for name, (value, description) in _VALUES.items()
    ]
