"""Who made a bundle, and which of two is newer: TUF metadata over it, signed outside and verified inside."""
