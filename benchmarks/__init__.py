"""The figures: dbwarden beside its rivals, as ratios in one run (``make bench``)."""
