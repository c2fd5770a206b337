"""Trust: a user who can write to a plugin can run code as qflowd, so files that others can write to are refused."""

import errno
import os
import pwd
import stat
from pathlib import Path

from qflowd.model.errors import RefusedPath

LARGEST_FILE = 16 << 20  # bytes


def check_folder(folder: Path) -> None:
    """The folder, all above it, and what it points to if it is a link, can be changed by root and us alone.

    Raises: RefusedPath naming the path and the remedy; FileNotFoundError.
    """
    named = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would hide the link itself
    real = named.resolve(strict=True)
    if not real.is_dir():
        raise RefusedPath(f"{folder} is not a folder")
    _check(real, real.stat())
    for above in {*named.parents, *real.parents}:
        status = above.stat()
        if not status.st_mode & stat.S_ISVTX:  # sticky: others can add, but not rename or remove what is ours
            _check(above, status)


def check_subfolder(folder: str) -> None:
    """A folder inside one that was checked.

    Raises: RefusedPath.
    """
    _check(folder, os.lstat(folder))


def read_file(path: str, *, trusted_only: bool) -> bytes:
    """The bytes of a plain file. `trusted_only`: only root and we can write to it; its folder has been checked.

    Raises: RefusedPath, also if it is larger than LARGEST_FILE; OSError if it cannot be read.
    """
    # NONBLOCK: a named pipe must not stop us.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if trusted_only else 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if trusted_only and error.errno == errno.ELOOP:
            raise RefusedPath(f"{path} is a symbolic link; put the file itself there") from None
        raise
    try:
        status = os.fstat(descriptor)
        if trusted_only:
            _check(path, status)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedPath(f"{path} is not a plain file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(LARGEST_FILE + 1)
    finally:
        os.close(descriptor)
    if len(data) > LARGEST_FILE:
        raise RefusedPath(f"{path} is larger than {LARGEST_FILE >> 20} MB")
    return data


def _check(path: object, status: os.stat_result) -> None:
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        who = "everybody" if status.st_mode & stat.S_IWOTH else "its group"
        raise RefusedPath(f"{path} can be written to by {who}, so others could run code as qflowd; chmod go-w {path}")
    if status.st_uid not in (0, os.geteuid()):
        raise RefusedPath(f"{path} belongs to {_user(status.st_uid)}; chown {_user(os.geteuid())} {path}")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"{uid}"
