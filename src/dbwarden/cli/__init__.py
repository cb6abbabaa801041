"""The command line: options in, library calls, tables or JSON out. The only code that prints."""
