"""Judge migrations by the effects that a scratch database measured. Pure.

``facts`` are what a dialect measured, ``rules`` turn them into findings, ``sizes`` scales their
severity by the tables of a live database, ``suppressions`` removes what a file allows, and
``formats`` writes the result.
"""
