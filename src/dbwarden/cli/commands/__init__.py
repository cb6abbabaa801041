"""One module for each command, named after it: its options, and what it prints."""
