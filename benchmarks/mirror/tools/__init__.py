"""The programs that are compared, each by the commands that its own documentation gives for this work."""
