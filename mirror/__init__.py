"""Carries images, charts, manifests and models across the gap: catalog -> lock -> bundle -> registry -> receipt."""
