"""`cbx`: arguments, dispatch, and how errors end."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from pytest_cbx import __version__
from pytest_cbx.errors import CbxError, ConfigError, InternalError, SpawnError, UsageError

EXIT_USAGE = 4
"""As pytest's: the configuration or the call is wrong, nothing was run."""
EXIT_OURS = 125
"""As `env` and `timeout`: cbx itself could not do it."""
EXIT_BUG = 3


_COMMANDS = {
    "init": "write a cbx.toml of what the project's frameworks declare",
    "explain": "what a command would touch, its tier and why; runs nothing",
    "plan": "the order in which the project's commands would run, and why; runs nothing",
    "run": "run one command beside the others of this work tree",
    "recover": "finish what a crash left: roll back or complete every journal without a living owner",
    "chaos": "run the project's commands under faults, in a copy of the work tree, and judge by six criteria",
    "doctor": "what this machine offers, and which tools the project's commands miss",
}
"""Sub-commands, each a module of this package with `add_arguments` and `main`, and what they do."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"cbx: {message}; {self.prog} --help tells more\n")


def build_parser(named: Sequence[str]) -> argparse.ArgumentParser:
    """The parser. Only the sub-commands in `named` get their arguments, for these take most of the time to import."""
    parser = _Parser(
        prog="cbx", description="Run shell commands side by side without letting them trample on each other."
    )
    parser.add_argument("--version", action="version", version=f"pytest-cbx {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_text in _COMMANDS.items():
        own = commands.add_parser(name, help=help_text)
        if name in named:
            module = import_module(f"pytest_cbx.cli.{name}")
            module.add_arguments(own)
            own.set_defaults(main=module.main)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `cbx`; returns the exit code. Mistakes of the user end with a message and 4, our own bugs with 3."""
    _hold_standard_places()
    given = sys.argv[1:] if arguments is None else arguments
    # No option of `cbx` itself takes a value, so the sub-command is the first word that is no option.
    chosen = build_parser([word for word in given if not word.startswith("-")][:1]).parse_args(given)
    try:
        _check_current_directory()
        code: int = chosen.main(chosen)
        if sys.stdout is not None:  # None: closed by the caller (`>&-`)
            sys.stdout.flush()
        return code
    except (ConfigError, UsageError) as error:
        for line in str(error).splitlines():
            print(f"cbx: {line}", file=sys.stderr)
        return EXIT_USAGE
    except BrokenPipeError:
        # The reader of our output has gone (`cbx plan | head`); the interpreter must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except InternalError as error:
        print(f"cbx: this is a bug in pytest-cbx, please report it: {error}", file=sys.stderr)
        return EXIT_BUG
    except (CbxError, OSError) as error:
        print(f"cbx: {error}", file=sys.stderr)
        return EXIT_OURS
    except Exception:
        print("cbx: this is a bug in pytest-cbx, please report it with these lines:", file=sys.stderr)
        traceback.print_exc()
        return EXIT_BUG


def _hold_standard_places() -> None:
    """Occupy closed standard descriptors, or the next file or socket that we open would become the command's own.

    What is opened refuses what the closed one would have refused: GNU's programs do the same.
    """
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    if sys.stderr is None:
        # `print` takes standard output where it is given None.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _check_current_directory() -> None:
    try:
        os.getcwd()
    except OSError as error:
        raise SpawnError(
            f"the current directory cannot be used: {error.strerror}; change to one that exists"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
