"""Sequence recognition in images: feature extraction, feature refinement, sequence generation, on Jittor."""
