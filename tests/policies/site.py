"""The site that the examples of the rules are shown on: one image, one model, one tenant."""

from __future__ import annotations

from policies.examples import Names

IMAGE, WEIGHTS = "1" * 64, "2" * 64
RECEIPT = {IMAGE: "registry.site:5000/docker.io/org/app", WEIGHTS: "registry.site:5000/huggingface.co/org/tiny"}
NAMES = Names(
    image=f"{RECEIPT[IMAGE]}@sha256:{IMAGE}",
    weights=f"{RECEIPT[WEIGHTS]}@sha256:{WEIGHTS}",
    tenant="models",
)
