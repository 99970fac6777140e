"""Which commands a session takes: pytest's own arguments decide, in one process and under xdist."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from pytest_cbx.config.model import CommandConfig
from pytest_cbx.frameworks.sharding import group_of
from pytest_cbx.pytest_plugin import _compat
from pytest_cbx.pytest_plugin.board import Board
from pytest_cbx.pytest_plugin.items import CbxFile, CbxItem
from pytest_cbx.pytest_plugin.loop import ControllerPlugin


def add_file_to_arguments(config: pytest.Config, file: Path) -> None:
    """A bare `pytest` with `testpaths` set looks only there: name our file as well."""
    if _compat.names_given_on_command_line(config):
        return
    named = [config.invocation_params.dir / argument for argument in config.args]
    if not any(path == file or path in file.parents for path in named):
        config.args.append(str(file))


def name_shards_in_arguments(config: pytest.Config, file: Path, commands: Sequence[CommandConfig]) -> None:
    """`cbx.toml::unit` means all shards of `unit`: pytest itself knows them by their own names only."""
    shards: dict[str, list[str]] = {}
    for command in commands:
        shards.setdefault(group_of(command.name), []).append(command.name)
    named = []
    for argument in config.args:
        path, _, name = argument.partition("::")
        own = shards.get(name, [name]) if Path(config.invocation_params.dir, path) == file else [name]
        named += [f"{path}::{one}" if one else argument for one in own]
    config.args[:] = named


class CollectPlugin:
    """Collects the configuration file, and keeps its commands in their order."""

    def __init__(self, board: Board, controller: ControllerPlugin) -> None:
        self._board = board
        self._controller = controller

    @pytest.hookimpl
    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """The configuration file of this session is a collector; any other one is just a file."""
        if self._board.options.file is None or file_path != self._board.options.file or not self._board.commands:
            return None
        return CbxFile.make(parent, file_path, self._board)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Workers leave the commands to the controller; elsewhere they stand in the order of the file, needs first."""
        if _compat.is_xdist_worker(config):
            items[:] = [item for item in items if not isinstance(item, CbxItem)]
            return
        self._leave_out(config, items)
        places = [place for place, item in enumerate(items) if isinstance(item, CbxItem)]
        ordered = self._in_order([item for item in items if isinstance(item, CbxItem)])
        for place, item in zip(places, ordered, strict=True):
            items[place] = item

    def _leave_out(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect what the session's profile does not take."""
        chosen = self._board.chosen
        if chosen is None:
            return
        left = [item for item in items if isinstance(item, CbxItem) and item.command.name not in chosen]
        if left:
            items[:] = [item for item in items if item not in left]
            config.hook.pytest_deselected(items=left)

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self, session: pytest.Session) -> Generator[None, object, object]:
        """Under xdist the controller collects nothing by itself: make its commands here."""
        result = yield
        config = session.config
        node = self._board.options.node
        if _compat.is_xdist_controller(config) and self._board.commands:
            collector = CbxFile.make(session, node, self._board)
            items: list[pytest.Item] = list(select(config, list(collector.collect()), node))
            if items and not _failed_elsewhere(config, items):
                config.hook.pytest_collection_modifyitems(session=session, config=config, items=items)
                self._controller.items = [item for item in items if isinstance(item, CbxItem)]
        return result

    def _in_order(self, items: list[CbxItem]) -> list[CbxItem]:
        """Stable order of the file in which every command comes after those it needs."""
        by_name = {item.command.name: item for item in items}
        ordered: dict[str, CbxItem] = {}

        def place(item: CbxItem) -> None:
            if item.command.name in ordered:
                return
            for need in item.command.needs:
                if need in by_name:
                    place(by_name[need])
            ordered[item.command.name] = item

        for command in self._board.commands:
            if command.name in by_name:
                place(by_name[command.name])
        return list(ordered.values())


class NoFilePlugin:
    """Adds commands that stand in no file, and so cannot be collected from one: those that are found, and those of plugins."""

    def __init__(self, board: Board) -> None:
        self._board = board

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Before anybody selects from the items. Under xdist the controller makes its own."""
        if _compat.is_xdist_worker(config) or _compat.is_xdist_controller(config) or not self._board.commands:
            return
        node = self._board.options.node
        collector = CbxFile.make(session, node, self._board)
        made = select(config, list(collector.collect()), node)
        items += made
        report = pytest.CollectReport(collector.nodeid, "passed", None, list(made))
        config.hook.pytest_collectreport(report=report)  # so that they are counted


def select(config: pytest.Config, items: list[CbxItem], file: Path) -> list[CbxItem]:
    """The items that pytest's arguments name: all for a bare call, else by file, directory or node id."""
    if not _compat.names_given_on_command_line(config):
        return items
    chosen: set[str] = set()
    for argument in config.args:
        path_text, *names = argument.split("::")
        path = Path(config.invocation_params.dir, path_text)
        if path == file and names:
            chosen.add("::".join(names))
        elif path == file or path in file.parents:
            chosen.update(item.command.name for item in items)
    return [item for item in items if item.command.name in chosen]


def _failed_elsewhere(config: pytest.Config, items: list[pytest.Item]) -> bool:
    """With `--lf`: whether only Python tests failed last time. pytest would then run all of ours again."""
    if not config.getoption("lf", False) or config.cache is None:
        return False
    failed = config.cache.get("cache/lastfailed", {})
    return bool(failed) and not any(item.nodeid in failed for item in items)
