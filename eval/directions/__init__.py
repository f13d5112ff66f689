"""Which pictures of words and lines stand on their head, told by a classifier of direction."""
