"""Read and write migration files: names, sections, checksums and folders."""
