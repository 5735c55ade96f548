"""Measurements side by side, in one run, as ratios. Not tests: nothing here fails because a machine is slow."""
