"""The checks. Each is one sentence (its docstring's first paragraph) that holds or does not."""
