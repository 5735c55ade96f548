"""The addresses and names of the rehearsal's site. They live in network namespaces and collide with nothing outside."""

from __future__ import annotations

SITE = "10.77.0.1"
"""The operator's machine with the internal registry."""
NODE = "10.77.0.2"
"""The cluster's one machine: API server, kubelet, NodePorts."""
PREFIX = 24
REGISTRY = f"{SITE}:5000"
API_SERVER = f"https://{NODE}:6443"

NODE_NAME = "sealift-node"
PODS = "10.244.0.0/24"
CLUSTER = "10.244.0.0/16"
SERVICES = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"

SANDBOX_IMAGE = "registry.k8s.io/pause:3.10"
COREDNS_IMAGE = "registry.k8s.io/coredns/coredns:v1.12.4"
