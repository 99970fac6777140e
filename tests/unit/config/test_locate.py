"""Which file and which folder count."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cbx.config.load import load_settings
from pytest_cbx.config.locate import find_config, find_workspace
from pytest_cbx.errors import ConfigError


def test_no_file(tmp_path: Path) -> None:
    assert find_config(tmp_path) is None
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "cbx"\n')
    assert find_config(tmp_path) is None


def test_table_in_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.cbx]\n")
    assert find_config(tmp_path) == tmp_path / "pyproject.toml"


def test_cbx_toml_wins(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[[tool.cbx.command]]\nname = "a"\nrun = "x"\n')
    (tmp_path / "cbx.toml").write_text("")
    assert find_config(tmp_path) == tmp_path / "cbx.toml"


def test_broken_link_is_found_so_that_loading_complains(tmp_path: Path) -> None:
    (tmp_path / "cbx.toml").symlink_to("nowhere")
    found = find_config(tmp_path)
    assert found is not None
    with pytest.raises(ConfigError, match="no such file"):
        load_settings(found)


@pytest.mark.parametrize(("text", "ours"), [("[tool.cbx]\njobs = \n", True), ("cbx = \n", False)])
def test_faulty_pyproject_is_ours_only_if_it_mentions_us(tmp_path: Path, text: str, ours: bool) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert (find_config(tmp_path) is not None) is ours


@pytest.mark.parametrize("content", [b"\xff\xfe[tool.cbx]", b"tool = 'cbx'\n", b""])
def test_strange_pyproject(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(content)
    assert find_config(tmp_path) is None


def test_workspace_is_the_nearest_folder_with_a_configuration(tmp_path: Path) -> None:
    deep = tmp_path / "repo" / "part" / "src"
    deep.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    assert find_workspace(deep) == (tmp_path / "repo").resolve()
    (tmp_path / "repo" / "part" / "pyproject.toml").write_text("[tool.cbx]\n")
    assert find_workspace(deep) == (tmp_path / "repo" / "part").resolve()
    (deep / "cbx.toml").touch()
    assert find_workspace(deep) == deep.resolve()


def test_work_tree_of_git_has_a_file(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    (tmp_path / "a").mkdir()
    assert find_workspace(tmp_path / "a") == tmp_path.resolve()


def test_links_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "cbx.toml").touch()
    (tmp_path / "link").symlink_to("real")
    assert find_workspace(tmp_path / "link") == (tmp_path / "real").resolve()
