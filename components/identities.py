"""The SPIFFE identities of the platform's own callers, as Istio's policies name them."""

from __future__ import annotations

from .places import ISTIO, KNATIVE


def principal(caller: str) -> str:
    """``namespace/serviceaccount`` as the principal that Istio authenticates."""
    namespace, _, account = caller.partition("/")
    return f"cluster.local/ns/{namespace}/sa/{account}"


GATEWAY = principal(f"{ISTIO}/istio-ingressgateway")
ACTIVATOR = principal(f"{KNATIVE}/activator")
AUTOSCALER = principal(f"{KNATIVE}/controller")
"""Of Knative's controllers too, which are not in the mesh and have no certificate to show."""
