"""Builds the fast path (`src/pytest_cbx/engine/fastpath`) where there is a compiler; without one the package is pure Python."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = "src/pytest_cbx/engine/fastpath"
TARGET = "src/pytest_cbx/engine/_fastpath"


class FastPath(BuildHookInterface[Any]):
    """`CBX_FAST_PATH=0` in the environment leaves it out."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile it beside the modules, and have the wheel say for which Python and machine it is."""
        built = Path(self.root, TARGET + (sysconfig.get_config_var("EXT_SUFFIX") or ".so"))
        built.unlink(missing_ok=True)
        if self.target_name != "wheel" or os.environ.get("CBX_FAST_PATH") == "0" or not self._compile(built):
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version != "editable":
            build_data["force_include"][str(built)] = f"pytest_cbx/engine/{built.name}"

    def clean(self, versions: list[str]) -> None:
        """Remove what was built."""
        for built in Path(self.root, TARGET).parent.glob("_fastpath*.so"):
            built.unlink()

    def _compile(self, built: Path) -> bool:
        compiler = shlex.split(os.environ.get("CC") or "cc")
        if not sys.platform.startswith("linux") or shutil.which(compiler[0]) is None:
            return False
        sources = sorted(map(str, Path(self.root, SOURCES).glob("*.c")))
        include = f"-I{sysconfig.get_path('include')}"
        command = [*compiler, "-std=c11", "-O2", "-fPIC", "-shared", include, *sources, "-o", str(built)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            self.app.display_warning(f"the fast path is not built, all else is: {done.stderr.strip()[-400:]}")
            built.unlink(missing_ok=True)
        return done.returncode == 0
