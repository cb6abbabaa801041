"""The commands that a newcomer would type, run one after the other; stops at the first failure.

Three databases are configured, checked and migrated at once; then the application of
examples/fastapi_app is started, asked for its health, and stopped. Nothing stays behind.
"""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

EXAMPLES = Path(__file__).parents[1]
DATABASES = ("primary", "analytics", "logging")
COMMANDS = (
    ("databases", 0),
    ("check --all", None),  # nothing is migrated yet: check says so, with exit code 3
    ("migrate --all", 0),
    ("status --all", 0),
    ("check --all", 0),
    ("health --all", 0),
)
APP_DATABASES = ("app", "analytics", "logs", "tenant_acme", "tenant_globex")
PATIENCE = 60.0
"""Seconds after which an application that neither starts nor fails is ended."""


class Failed(Exception):
    """A step of the demonstration did not do what it should."""


@contextlib.contextmanager
def sqlite(names: Sequence[str]) -> Iterator[str]:
    """A temporary folder, with a file for each of *names* once it is migrated."""
    with tempfile.TemporaryDirectory(prefix="dbwarden-demo-") as folder:
        yield f"sqlite:///{Path(folder).as_posix()}"


@contextlib.contextmanager
def postgresql(names: Sequence[str]) -> Iterator[str]:
    """An embedded server with the databases *names*; stopped at the end."""
    from anyio.from_thread import start_blocking_portal

    from dbwarden.dialects.postgresql.scratch.server import embedded_server

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(embedded_server(tcp=True)) as server,
    ):
        for name in names:
            portal.call(server.create_database, name)
        yield server.url("").rstrip("/")


KINDS = {"sqlite": sqlite, "postgresql": postgresql}


def show(command: str, folder: Path, environment: dict[str, str], expected: int | None = 0) -> None:
    """Run one command as a person would, and show it."""
    print(f"\n$ dbwarden {command}", flush=True)
    words = [sys.executable, "-m", "dbwarden", *command.split()]
    code = subprocess.run(words, cwd=folder, env=environment, check=False).returncode
    if expected is not None and code != expected:
        raise Failed(f"`dbwarden {command}` ended with {code}.")


@contextlib.contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[int]:
    """The application under uvicorn on a free port of this machine, which is yielded."""
    print("\n$ uvicorn app.main:app --port 0", flush=True)
    words = [sys.executable, "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(
        words, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        try:
            yield port_of(process)
            process.terminate()
            show_rest(process)
        finally:
            watch.cancel()
            process.terminate()  # when something failed, or Ctrl-C; else it has ended already
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def port_of(process: "subprocess.Popen[str]") -> int:
    """The port that uvicorn tells when the application has started; shows what it says."""
    assert process.stderr is not None
    for line in process.stderr:
        print(line, end="", flush=True)
        if found := re.search(r"running on http://[\d.]+:(\d+)", line):
            return int(found[1])
    raise Failed("The application did not start.")


def show_rest(process: "subprocess.Popen[str]") -> None:
    """Show what uvicorn says until it ends."""
    assert process.stderr is not None
    for line in process.stderr:
        print(line, end="", flush=True)


def ask_health(port: int) -> None:
    """Ask the application how its databases are, and show it."""
    print(f"\n$ curl http://127.0.0.1:{port}/health", flush=True)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        health = json.loads(answer.read())
    finally:
        connection.close()
    print(f"HTTP {answer.status}\n{json.dumps(health, indent=2)}\n", flush=True)
    if answer.status != 200 or health["status"] != "ok":
        raise Failed("The application is not healthy.")


def command_line(kind: str) -> None:
    """Three databases on the command line."""
    folder = EXAMPLES / "three_databases"
    with KINDS[kind](DATABASES) as where:
        environment = {**os.environ, "DEMO_KIND": kind, "DEMO_WHERE": where}
        for command, expected in COMMANDS:
            show(command, folder, environment, expected)


def application(kind: str) -> None:
    """A FastAPI application on its five databases."""
    folder = EXAMPLES / "fastapi_app"
    print("\n$ cd examples/fastapi_app", flush=True)
    with KINDS[kind](APP_DATABASES) as where:
        environment = {**os.environ, "APP_DATABASES": where}
        show("migrate --all", folder, environment)
        with serving(folder, environment) as port:
            ask_health(port)


def main(kind: str) -> int:
    """Show both on databases of *kind*."""
    if kind not in KINDS:
        print(f"DB={kind}? This demo knows {' and '.join(KINDS)}.", file=sys.stderr)
        return 2
    # Asked to end, we end as after Ctrl-C: what was started is stopped first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        command_line(kind)
        application(kind)
    except Failed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\nThree {kind} databases: configured, checked, migrated at once, and healthy;")
    print("and a FastAPI application that reports the same.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite"))
