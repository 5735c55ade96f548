"""The namespaces of the platform, by the part that lives in each."""

from __future__ import annotations

CERT_MANAGER = "cert-manager"
ISTIO = "istio-system"
CNI = "istio-cni"
"""The one namespace whose pods touch the node, and which holds nothing else: the CNI plugin installs itself there."""
KNATIVE = "knative-serving"
KSERVE = "kserve"
RULES = "sealift-system"
"""Where the receipt lies that admission policies ask. No pods."""
