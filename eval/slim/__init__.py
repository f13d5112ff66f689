"""Size, accuracy and speed of a model as it is, in 8 bits, pruned, and both, beside PP-OCR's published figures."""
