"""What every sub-command needs to know of where it was called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_cbx.config.locate import find_config, find_workspace
from pytest_cbx.config.model import Settings
from pytest_cbx.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A work tree and its settings."""

    root: Path
    file: Path | None
    settings: Settings


def open_project(start: Path, *, workspace: str | None = None, config: str | None = None) -> Project:
    """Find the work tree around `start` (or take the one named) and read its configuration.

    Raises:
        ConfigError: the configuration has mistakes.
        UsageError: a named directory or file is not there.
    """
    if workspace is not None:
        root = Path(workspace).absolute()
        if not root.is_dir():
            raise UsageError(f"--workspace {workspace}: {root} is no directory")
    else:
        root = find_workspace(start.absolute())
    file = Path(config).absolute() if config else find_config(root)
    return Project(root=root, file=file, settings=_load(file, root))


def _load(file: Path | None, root: Path) -> Settings:
    if file is None:
        return Settings()
    # Imported here because `cbx explain` needs no configuration.
    from pytest_cbx.config.load import load_settings  # noqa: PLC0415
    from pytest_cbx.execute.machine import measure  # noqa: PLC0415

    return load_settings(file, workspace=root, memory_total=measure().memory)


def directory(text: str | None) -> Path:
    """An existing directory from an option, the current one by default."""
    path = Path(text or ".").absolute()
    if not path.is_dir():
        raise UsageError(f"{text}: {path} is no directory")
    return path
