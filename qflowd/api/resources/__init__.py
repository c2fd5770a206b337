"""The routes, a file a noun."""

from importlib import import_module
from typing import Final

MODULES: Final = ("meta",)


def load() -> None:
    """Import all files of routes, which puts them into the table."""
    for name in MODULES:
        import_module(f"qflowd.api.resources.{name}")
