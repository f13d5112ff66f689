"""Pictures and labels, no framework: readers, loader, transforms, renderers, music encodings, LMDB, lexicons."""
