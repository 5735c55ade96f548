"""What sets up an operator's machine from a bundle, without a network: tools, wheels, and the script that does it."""
