"""Published files of monitoring networks become a dataset folder: one small file per format.

`titles.py` lists the formats, `registry.py` their layouts, `run.py` does the work.
"""
