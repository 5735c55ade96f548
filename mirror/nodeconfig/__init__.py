"""What nodes need so that they pull everything from the internal registry and nothing from anywhere else."""
