"""Pulumi components, one for each part of the platform. Manifests come from the receipt, never from a network."""
