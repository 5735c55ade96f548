"""One machine as an air-gapped site: an operator's side with a registry, and a cluster of one node; no way out."""

from .cluster import Cluster
from .egress import EgressReport, egress
from .pulled import PulledImage, pulled_images
from .site import Paths, Site

__all__ = ["Cluster", "EgressReport", "Paths", "PulledImage", "Site", "egress", "pulled_images"]
