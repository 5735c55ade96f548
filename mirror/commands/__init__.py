"""The commands of the mirror, thin: each reads its arguments, calls one function and prints what it returns."""
