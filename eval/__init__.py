"""Experiments on top of everything else: published protocols, lexicon, stage and renderer benches, speed, reports."""
