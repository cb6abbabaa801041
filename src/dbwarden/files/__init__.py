"""Migration files: names, sections, checksums, and the folder they lie in."""
