"""Photographs by the ICDAR protocols, words found and read: table, JSON, HTML page."""
