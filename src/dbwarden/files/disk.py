"""Open files without following links and without blocking on pipes or devices. Blocking I/O."""

import errno
import os
import stat
from pathlib import Path

LARGEST = 64 * 1024**2
"""Maximum size in bytes of a file that is read as SQL."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_regular(path: Path) -> bytes:
    """Return the content of *path*, a regular file or a link to one.

    Raises:
        OSError: The file cannot be read, is not regular, or is larger than :data:`LARGEST`.
    """
    refuse_irregular(os.stat(path), path)  # opening a device may have side effects
    with open(path, "rb", buffering=0, opener=_without_waiting) as file:
        refuse_irregular(os.fstat(file.fileno()), path)
        parts: list[bytes] = []
        length = 0
        while part := file.read(LARGEST + 1 - length):
            parts.append(part)
            length += len(part)
            if length > LARGEST:
                limit = f"it is larger than {LARGEST // 1024**2} MiB, the limit for a file of SQL"
                raise OSError(errno.EFBIG, limit, str(path))
    return b"".join(parts)


def refuse_irregular(status: os.stat_result, path: Path) -> None:
    """Raise unless *status* is that of a regular file.

    Raises:
        OSError: The file is not regular; the message names its kind.
    """
    for is_kind, what in _KINDS:
        if is_kind(status.st_mode):
            raise OSError(errno.EINVAL, f"it is {what}, not a regular file", str(path))


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def open_private(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a file that dbwarden creates for itself, never through a link; return its descriptor.

    Other users who can write to the folder could otherwise redirect us to any of our files.

    Raises:
        OSError: The file cannot be opened, is a link or is not regular.
    """
    try:
        descriptor = os.open(path, flags | _NO_LINK, mode)
    except OSError as error:
        if error.errno == errno.ELOOP or os.path.islink(path):
            raise OSError(errno.ELOOP, "it is a link to another file", str(path)) from None
        raise
    try:
        status = os.fstat(descriptor)
        refuse_irregular(status, path)
        if status.st_nlink > 1:
            raise OSError(errno.EMLINK, "it is a link to another file", str(path))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that dbwarden creates for itself; see :func:`open_private`.

    Raises:
        OSError: The file cannot be written, is a link or is not regular.
    """
    # Truncate only after open_private has checked the file.
    with open(open_private(path, os.O_CREAT | os.O_WRONLY, 0o644), "wb") as file:
        file.truncate()
        file.write(content)


def keep_newest(folder: Path, pattern: str, number: int) -> None:
    """Delete the files of *folder* that match *pattern*, except the *number* newest ones."""
    files = sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[number:]:
        path.unlink(missing_ok=True)
