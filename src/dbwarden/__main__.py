"""Run the ``dbwarden`` command or ``python -m dbwarden``."""

import sys


def main() -> None:
    """Run the command line and exit with its exit code."""
    try:
        from dbwarden.cli import streams

        streams.guard()
        streams.show_start(sys.argv[1:])
        from dbwarden.cli.app import run

        code = run(sys.argv[1:])
        streams.wipe_line()
    except KeyboardInterrupt:  # before the event loop handles it
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)
    if problem := streams.problem():
        sys.stderr.write(f"error: standard output cannot be written: {problem}\n")
        code = code or 1
    sys.exit(code)


if __name__ == "__main__":
    main()
