"""A run directory: written beside its place under a hidden name, and moved there when it is complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xsim.errors import FileError

RECORD = "run.json"


def partial(out: Path) -> Path:
    """Where the run of `out` is written until it is complete."""
    return out.parent / f".{out.name}.partial"


@contextmanager
def writing(out: Path, *, force: bool = False, resume: bool = False) -> Iterator[Path]:
    """A folder to write a run in; it becomes `out` when the block ends well and is removed when it does not.

    force: an existing `out`, and what an interrupted run left, are replaced. resume: they are kept for the block to
    use, and `out` is replaced at the end. Raises FileError if something is there and neither is given, or if the
    place cannot be written.
    """
    part = partial(out)
    try:
        refuse(out, force=force, resume=resume)
        out.parent.mkdir(parents=True, exist_ok=True)
        if force and not resume:
            shutil.rmtree(part, ignore_errors=True)
        part.mkdir(exist_ok=resume)
    except FileError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise FileError("cannot write here", value=str(out), cure=f"choose another -o ({why})") from None
    try:
        yield part
        _move(part, out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def refuse(out: Path, *, force: bool, resume: bool) -> None:
    """Raise FileError if `out` is taken and may not be used."""
    if force or resume:
        if out.exists() and not (out / RECORD).is_file() and (not out.is_dir() or any(out.iterdir())):
            cure = "choose another -o, or remove it yourself"
            raise FileError("exists and is not a run of xsim", value=str(out), cure=cure)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        cure = "choose another -o, or give --force to replace it or --resume to keep its finished instruments"
        raise FileError("the run directory exists", value=str(out), cure=cure)
    if partial(out).exists():
        cure = "wait for it to end; if it was killed, give --resume to go on or --force to begin again"
        raise FileError("another run is being written here", value=str(partial(out)), cure=cure)


def _move(part: Path, out: Path) -> None:
    old = out.parent / f".{out.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        os.replace(out, old)
    os.replace(part, out)
    shutil.rmtree(old, ignore_errors=True)
