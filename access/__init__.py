"""API keys: signed tokens that the gateway verifies with public keys alone, so no secret lies in the cluster."""
