"""Readers of photographs with regions of text, a module for each family of layouts; `find` tells them apart."""
