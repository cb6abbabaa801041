"""``python -m dbwarden`` and the ``dbwarden`` command."""

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from dbwarden.cli import streams
        from dbwarden.cli.app import run

        streams.guard()
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before there was a loop that listens for it
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)
    if problem := streams.problem():
        sys.stderr.write(f"error: standard output cannot be written: {problem}\n")
        code = code or 1
    sys.exit(code)


if __name__ == "__main__":
    main()
