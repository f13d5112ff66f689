"""Sequence generation: refined vectors (T, N, C) -> symbols, as many as there are."""

from crnn_jt.generators import attention, ctc, encoder_decoder, parallel

__all__ = ["attention", "ctc", "encoder_decoder", "parallel"]
