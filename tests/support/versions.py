"""Versions of workflows, and the files that they come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.lab import Lab
from tests.support.services import watch_files


def versions(lab: Lab, workflow: str = "daily") -> dict[int, Any]:
    """Version -> its row in the view."""
    rows = lab.store.read(lambda tx: tx.run("list_versions", workflow=workflow, tenant="default"))
    return {row.version: row for row in rows}


def states(lab: Lab) -> dict[int, str]:
    return {version: row.state for version, row in sorted(versions(lab).items())}


class Folder:
    """Workflow files over the store of a lab, looked at on demand."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.start()

    def start(self) -> None:
        self.service = watch_files(self.lab.store, self.lab.topics, (self.folder,), lambda job: None)

    def write(self, tasks: str, **more: Any) -> None:
        document = {"workflow": "daily", "tasks": {key: {"job": "work"} for key in tasks}} | more
        (self.folder / "daily.json").write_text(json.dumps(document), "utf-8")
        self.look()

    def look(self) -> None:
        self.service.tick()
        self.service.tick()
