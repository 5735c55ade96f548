"""What the rehearsal needs of the machine: Debian packages, binaries built from Go modules, disk."""
