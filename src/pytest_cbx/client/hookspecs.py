"""The extension points. The same hooks serve pytest and `cbx`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pytest_cbx.config.model import CommandConfig, Settings
    from pytest_cbx.effects.model import Effect
    from pytest_cbx.events import AnyEvent
    from pytest_cbx.frameworks.model import Framework

hookspec = pluggy.HookspecMarker("pytest")
hookimpl = pluggy.HookimplMarker("pytest")


class CbxSpecs:
    """Specifications; all optional."""

    @hookspec
    def pytest_cbx_commands(self, config: Settings) -> Iterable[CommandConfig]:  # type: ignore[empty-body]
        """Add commands to those of the configuration file. They come after it, in the order given."""

    @hookspec
    def pytest_cbx_effects(self, command: CommandConfig) -> Iterable[Effect]:  # type: ignore[empty-body]
        """Add effects to those that the text of a command tells."""

    @hookspec
    def pytest_cbx_fault(self) -> Iterable[Any]:  # type: ignore[empty-body]
        """Add kinds of faults: values of `pytest_cbx.chaos.faults.kinds.Kind`. `chaos.inject("name", ...)` and campaigns know them then."""

    @hookspec
    def pytest_cbx_framework(self) -> Iterable[Framework]:  # type: ignore[empty-body]
        """Add frameworks: values of `pytest_cbx.frameworks.model.Framework`, whose commands discovery finds then."""

    @hookspec
    def pytest_cbx_event(self, event: AnyEvent) -> None:
        """See an event of the engine. Called in the client, in the order of the events."""


def plugin_manager() -> pluggy.PluginManager:
    """A plugin manager for `cbx` without pytest, with the plugins of the entry point group `cbx`."""
    manager = pluggy.PluginManager("pytest")
    manager.add_hookspecs(CbxSpecs)
    manager.load_setuptools_entrypoints("cbx")
    return manager
