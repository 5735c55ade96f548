"""Stand-in for pulumi-language-python, which no package registry carries: runs Python programs and policy packs."""
