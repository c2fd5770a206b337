"""The plugin folders of a daemon. In a module of its own, because a start begins with them: trying them takes longest."""

import os
from collections.abc import Callable
from typing import ClassVar

from qflowd.config.records import Config
from qflowd.plugins.reload import Reloader
from qflowd.workers.environment import worker_env


def reloader_for(config: Config) -> Reloader:
    """A reloader on the configured folders; not begun.

    Plugins are tried where and as workers will import them: one may look for a variable that `[plugins] env` lets through.
    """
    env = worker_env(os.environ, config.plugins.env)
    return Reloader(config.plugins.dirs, config.plugins.enable, env=env, cwd=config.folder)


class Plugins:
    """The service that follows the plugin folders."""

    name: ClassVar[str] = "plugins"
    topics: ClassVar[tuple[str, ...]] = ("plugins",)

    def __init__(self, reloader: Reloader, announce: Callable[[], None]) -> None:
        """`announce`: registers the jobs of this daemon in the database, unless that is done."""
        self._reloader, self._announce = reloader, announce

    def tick(self) -> float:
        self._announce()
        return self._reloader.poll()
