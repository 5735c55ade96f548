"""The smoke test: runs against any platform that ``pulumi up`` made and writes what it saw as evidence."""
