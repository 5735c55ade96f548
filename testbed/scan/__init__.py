"""Third-party scanners over all that a stack registers and over the pods as they run, held against exceptions."""
