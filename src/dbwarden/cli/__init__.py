"""The command line: parse options, call the library, print tables or JSON."""
