"""Lexicon decoding: accuracy and time against size and edit distance."""
