"""The commands of `python -m ocr`: one module each."""
