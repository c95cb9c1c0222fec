"""Locks on files that end with the process. Some file systems have none: then one line says so, and the job goes on."""

from __future__ import annotations

import fcntl
import sys


def taken(handle: int, what: str) -> bool:
    """Lock the open file; False if another process holds it. `what`: what it guards, for the line."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # ENOLCK, ENOTSUP, ENOSYS, …
        text = f"dirconv: {what}: its file system has no locks ({error.strerror}); start no second process on it"
        print(text, file=sys.stderr, flush=True)
    return True
