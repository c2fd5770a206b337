"""The dashboard's files: built once, served from the folder `web`; names with a hash never change."""

import mimetypes
from html import escape
from pathlib import Path
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

from qflowd import resources
from qflowd.config.records import ApiConfig

NOT_PAGES: Final = ("api/", "scheduling/")
WITHOUT: Final = (
    "<!doctype html><title>qflowd</title><p>This qflowd was built without its dashboard (QFLOWD_NO_WEB=1, or a checkout"
    " in which <code>make web</code> has not run). The API is at <a href='api/v1/openapi.json'>api/v1</a>."
)


class Pages:
    """The single page and its assets."""

    def __init__(self, config: ApiConfig) -> None:
        self._base = f"{config.base_path}/"
        try:
            self._folder: Path | None = resources.folder("web").resolve()
        except FileNotFoundError:
            self._folder = None

    async def respond(self, request: Any) -> Response:
        """A file, or the page for each path that is none. Raises: HTTPException 404."""
        path: str = request.path_params["path"]
        if path.startswith(NOT_PAGES) or path in ("api", "scheduling"):
            raise HTTPException(404)
        if self._folder is None:
            return HTMLResponse(WITHOUT)
        file = (self._folder / path).resolve()
        if "." in path.rpartition("/")[2]:
            if not file.is_relative_to(self._folder) or not file.is_file():
                raise HTTPException(404)
            headers = {"cache-control": "public, max-age=31536000, immutable"} if path.startswith("assets/") else {}
            return FileResponse(file, media_type=mimetypes.guess_type(file.name)[0], headers=headers)
        page = (self._folder / "index.html").read_text("utf-8")
        page = page.replace('<base href="/">', f'<base href="{escape(self._base)}">')
        return HTMLResponse(page, headers={"cache-control": "no-store"})
