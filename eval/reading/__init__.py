"""Ways of reading training data, in samples a second."""
