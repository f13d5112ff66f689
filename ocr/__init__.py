"""Photographs and documents: text found, turned upright, read, put in order and exported.

>>> import ocr
>>> page = ocr.load(detector="runs/db/best.safetensors").read("street.jpg")
>>> [line.text for line in page.lines]
"""

from ocr.page import Line, Page, Word
from ocr.reading import PhotoReader, ReadingOptions, load

__all__ = ["Line", "Page", "PhotoReader", "ReadingOptions", "Word", "load"]
