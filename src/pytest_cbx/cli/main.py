"""`cbx`: arguments, dispatch, and how errors end."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence

from pytest_cbx import __version__
from pytest_cbx.cli import doctor, explain, plan, run
from pytest_cbx.errors import CbxError, ConfigError, InternalError, UsageError

EXIT_USAGE = 4
"""As pytest's: the configuration or the call is wrong, nothing was run."""
EXIT_OURS = 125
"""As `env` and `timeout`: cbx itself could not do it."""
EXIT_BUG = 3


def build_parser() -> argparse.ArgumentParser:
    """The parser of all sub-commands."""
    parser = argparse.ArgumentParser(
        prog="cbx", description="Run shell commands side by side without letting them trample on each other."
    )
    parser.add_argument("--version", action="version", version=f"pytest-cbx {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (explain, plan, run, doctor):
        module.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `cbx`; returns the exit code. Mistakes of the user end with a message and 4, our own bugs with 3."""
    chosen = build_parser().parse_args(arguments)
    try:
        code: int = chosen.main(chosen)
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
    except CbxError as error:
        print(f"cbx: {error}", file=sys.stderr)
        return EXIT_OURS
    except OSError as error:
        print(f"cbx: {error}", file=sys.stderr)
        return EXIT_OURS
    except Exception:
        print("cbx: this is a bug in pytest-cbx, please report it with these lines:", file=sys.stderr)
        traceback.print_exc()
        return EXIT_BUG


if __name__ == "__main__":
    sys.exit(main())
