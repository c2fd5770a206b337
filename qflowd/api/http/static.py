"""The dashboard's files: built once, served from the folder `web`; names with a hash never change."""

import mimetypes
import secrets
from pathlib import Path
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

from qflowd import resources
from qflowd.api.access.headers import page_headers
from qflowd.config.records import ApiConfig

NOT_PAGES: Final = ("/api/", "/scheduling/")
ASSETS: Final = "assets/"
IMMUTABLE: Final = "public, max-age=31536000, immutable"
AN_HOUR: Final = "public, max-age=3600"
WITHOUT: Final = (
    "<!doctype html><title>qflowd</title><p>This qflowd was built without its dashboard (QFLOWD_NO_WEB=1, or a checkout"
    " in which <code>make web</code> has not run). The API is at <a href='api/v1/openapi.json'>api/v1</a>."
)


class Pages:
    """The single page and its assets."""

    def __init__(self, config: ApiConfig) -> None:
        self._base = f"{config.base_path}/"  # letters, digits and -._~/, none of which a page has to escape

    async def respond(self, request: Any) -> Response:
        """A file, or the page for each path that is none. Raises: HTTPException 404."""
        path: str = request.path_params["path"]
        if f"/{path}/".startswith(NOT_PAGES):
            raise HTTPException(404)
        try:  # asked each time, so that a checkout may be built while the server runs
            folder = resources.folder("web").resolve()
        except FileNotFoundError:
            return _with_headers(HTMLResponse(WITHOUT), secrets.token_urlsafe(16))
        # Keys may hold a dot, so only a name at the top, such as favicon.ico, and what lies in assets/ is a file.
        if path.startswith(ASSETS) or ("." in path and "/" not in path):
            return _with_headers(_file(folder, path, request.headers.get("accept-encoding", "")))
        nonce = secrets.token_urlsafe(16)
        page = (folder / "index.html").read_text("utf-8")
        page = page.replace('<base href="/">', f'<base href="{self._base}">', 1)
        page = page.replace('name="csp-nonce" content=""', f'name="csp-nonce" content="{nonce}"', 1)
        return _with_headers(HTMLResponse(page), nonce)


def _with_headers(response: Response, nonce: str = "") -> Response:
    for name, value in page_headers(nonce):
        response.headers.setdefault(name, value)
    return response


def _file(folder: Path, path: str, encodings: str) -> Response:
    """A file of the dashboard, packed if the client reads that. Raises: HTTPException 404."""
    if "\0" in path:
        raise HTTPException(404)
    try:
        file = (folder / path).resolve()
        is_there = file.is_relative_to(folder) and file.is_file()
    except OSError:  # a name longer than any file system has
        raise HTTPException(404) from None
    if not is_there or file.name.startswith(".") or file.suffix in (".html", ".gz"):
        raise HTTPException(404)
    headers = {"cache-control": IMMUTABLE if path.startswith(ASSETS) else AN_HOUR, "vary": "accept-encoding"}
    packed = file.with_name(f"{file.name}.gz")
    if "gzip" in encodings and packed.is_file():
        return FileResponse(packed, media_type=_media_type(file), headers={**headers, "content-encoding": "gzip"})
    return FileResponse(file, media_type=_media_type(file), headers=headers)


def _media_type(file: Path) -> str:
    # The machine's own table may call a script text/plain, which browsers refuse beside `nosniff`.
    known = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json"}
    return known.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
