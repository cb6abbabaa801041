"""Lock open files with locks of the operating system, which end with the process.

Two descriptors of one process exclude each other too. On network file systems a lock is as reliable
as their ``flock``.
"""

import os
import sys
import time

if sys.platform == "win32":  # pragma: no cover - our machines run Linux
    import msvcrt

    _FAR = 1 << 30
    """The locked byte, far after the content, because Windows cannot read locked bytes."""

    def try_lock(descriptor: int, *, shared: bool = False) -> bool:
        """Try once to lock an open file; return whether it is locked now."""
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Release the lock of an open file."""
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(descriptor: int, *, shared: bool = False) -> bool:
        """Try once to lock an open file; return whether it is locked now."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Release the lock of an open file."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def wait_for_lock(descriptor: int) -> None:
    """Wait until an open file is locked. Blocking."""
    while not try_lock(descriptor):
        time.sleep(0.01)
