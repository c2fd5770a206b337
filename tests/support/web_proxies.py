"""nginx and Caddy in front of a server of ours, with a configuration of a page; certificates of our own; a stand-in for a
service that signs people in."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.binaries import Programs, Unavailable, debian, find
from tests.support.daemon import until
from tests.support.servers import free_port

NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""
AS_ROOT = "user root;" if os.geteuid() == 0 else ""  # its workers must reach the folder, and the server's socket
CADDY = "{{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}}\n{server}"


def programs(name: str) -> Programs:
    """The installed one, else that of Debian's package. Raises: Unavailable."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    if installed := shutil.which(name, path=search):
        return Programs(Path(installed).parent)
    return debian(name, name)


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    files = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    done = subprocess.run(
        [*command, "-out", files[0], "-keyout", files[1]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return files


@contextlib.contextmanager
def proxy(name: str, text: str, folder: Path, changes: Mapping[str, str]) -> Iterator[int]:
    """The port of a proxy that speaks TLS, with the configuration `text` of a page; `changes`: what is otherwise here."""
    port = free_port()
    for old, new in {"listen 443": f"listen 127.0.0.1:{port}", **changes}.items():
        text = text.replace(old, new)
    if name == "caddy":
        text = re.sub(r"(?m)^(\S+) \{", rf"\1:{port} {{\n\tbind 127.0.0.1", text, count=1)
    file = folder / f"{name}.conf"
    file.write_text((NGINX if name == "nginx" else CADDY).format(folder=folder, server=text, user=AS_ROOT))
    command = ["-p", folder, "-c", file] if name == "nginx" else ["run", "--config", file, "--adapter", "caddyfile"]
    found = programs(name)
    environment = {"PATH": os.defpath, "HOME": str(folder), "XDG_DATA_HOME": str(folder)} | found.env
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([find(found, name), *map(str, command)], env=environment, stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or _listens(port), 20, what=f"{name} to listen")
        if process.poll() is not None:
            logs = [each.read_text(errors="replace")[-2000:] for each in folder.glob("*.log")]
            raise Unavailable(f"{name} does not start: {logs}")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def trusting(file: Path) -> ssl.SSLContext:
    """What a client needs to believe a certificate."""
    return ssl.create_default_context(cafile=str(file))


@contextlib.contextmanager
def sign_in_service(answer: Callable[[str, str], tuple[int, dict[str, str]]]) -> Iterator[int]:
    """The port of a service that a proxy asks who somebody is. `answer`: of path and cookie, a status and headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers = answer(self.path, self.headers.get("Cookie") or "")
            self.send_response(status)
            for name, value in (headers | {"Content-Length": "0"}).items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """It stays silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
