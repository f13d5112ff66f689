"""The commands of `python -m crnn_jt`: one module each."""
