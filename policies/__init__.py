"""The policy pack: what every object of a stack must satisfy before anything of it is applied."""
