"""Experiments on top of everything else: published protocols, lexicon, stage and renderer benches, speed, reports.

A bench is a package: `bench.py` measures, `command.py` is its command line, `report.py` is what is printed and written.
The first line of the package's docstring is its line in `python -m eval --help`.
"""
