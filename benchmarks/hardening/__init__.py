"""What the hardening costs: the same model through the gateway with mutual TLS, without it, and without the gateway."""
