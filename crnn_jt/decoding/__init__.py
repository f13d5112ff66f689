"""From log-probabilities to readings, in numpy: no framework, so that every backend is read by the same code."""
