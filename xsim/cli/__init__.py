"""The command `xsim`: one module per command, each with `add(commands)` and `execute(arguments) -> exit status`.

Exit 0 when all went well, 2 for a mistake of the user's (a line each, never a traceback), 1 for anything else. Nothing
heavy is imported before a command needs it.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from xsim import __version__
from xsim.errors import XsimError

#: what is wrong with a place to write to, not with xsim
_PLACES = (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT)

#: in the order of the help page
COMMANDS = ("run", "check", "show", "list", "material", "export", "reconstruct", "plan", "schema")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="xsim",
        description="Simulate X-ray imaging of one specimen with any technique, to noisy detector data with dose.",
        epilog="Begin with: xsim list scenarios; xsim run gold-labels-in-ice",
    )
    top.add_argument("--version", action="version", version=f"xsim {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = import_module(f"xsim.cli.{name}_command")
        sub = module.add(commands)
        sub.set_defaults(execute=module.execute)
    return top


def _lines(error: XsimError) -> list[str]:
    """A line per mistake; those of a scenario name their file and key path themselves."""
    if hasattr(error, "mistakes"):
        return str(error).splitlines()
    return [": ".join(part for part in ("xsim", error.field, " ".join(str(error).split())) if part)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.execute(arguments))
    except XsimError as error:
        print("\n".join(_lines(error)), file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone: `xsim list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("xsim: interrupted; nothing was left behind", file=sys.stderr)
        return 1
    except (PermissionError, FileExistsError, FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        where = error.filename or "a file"
        print(f"xsim: {where}: {error.strerror}; give another place with -o", file=sys.stderr)
        return 2
    except MemoryError:
        print("xsim: out of memory; `xsim check` tells how much each instrument needs", file=sys.stderr)
        return 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _PLACES:
            print(f"xsim: {error.strerror}: {error.filename or 'while writing'}; choose another -o", file=sys.stderr)
            return 1
        import traceback

        traceback.print_exc()
        print("xsim: this is a bug in xsim, not a mistake of yours; please report the lines above", file=sys.stderr)
        return 1
