"""The figures: dbwarden compared with other tools, as ratios in one run (``make bench``)."""
