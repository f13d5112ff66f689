"""Staves a second, reading and training, and the memory of a long staff."""
