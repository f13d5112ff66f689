"""The commands of `python -m omr`: one module each."""
