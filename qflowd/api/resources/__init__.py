"""The routes, a file a noun."""

from importlib import import_module
from pkgutil import iter_modules


def load() -> None:
    """Import all files of routes, which puts them into the table."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
