"""What stands in front of a dedicated deployment's engine: Baseten's own nginx, and the edge.

Inside the container it is the configuration that Baseten's Truss renders for custom servers, taken
from its package. The edge before it is ours: it maps the documented URLs as the service does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import jinja2

from conformance.maintenance.engines.serve import Command, EngineError, find_port
from conformance.outbound.model_listing import ServedError, fetch

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["find_nginx", "front_server", "serves_tiny"]

_TEMPLATE = "templates/docker_server/proxy.conf.jinja"
_LISTEN = "listen 8080;"
# By this a run knows that the model behind the edge is the suite's own.
_SIGN, _TINY = "/conformance/model", "tiny"
_TARGET = r"(?:/(?:production|development|environments/[^/]+|deployment/[^/]+))?"
# Documented: the path behind `/sync` reaches the container as it is, `/predict` by Truss's name.
_EDGE = """daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    include {folder}/truss.conf;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 100m;
        proxy_buffering off;
        proxy_http_version 1.1;
        proxy_read_timeout 600s;
        location ~ "^{target}/sync/(?<rest>.*)$" {{
            proxy_pass http://127.0.0.1:{inner}/$rest$is_args$args;
        }}
        location ~ "^{target}/predict$" {{
            rewrite ^ /v1/models/model:predict break;
            proxy_pass http://127.0.0.1:{inner};
        }}
        location = {sign} {{ default_type application/json; return 200 '"{tiny}"'; }}
        location / {{ return 404; }}
    }}
}}
"""


def find_nginx(folder: Path) -> str:
    """Return an nginx: the one that is named or installed, or Debian's, unpacked into a folder.

    Args:
        folder: Where an unpacked one stays; nothing is installed.

    Raises:
        EngineError: There is none, and none can be had.
    """
    unpacked = folder / "usr/sbin/nginx"
    for found in (os.environ.get("CONFORMANCE_NGINX"), shutil.which("nginx"), str(unpacked)):
        if found and os.access(found, os.X_OK):
            return found
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise EngineError("no nginx: install it, or name it in CONFORMANCE_NGINX")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _call(folder, "apt-get", "download", "nginx")
        _call(folder, "dpkg", "-x", str(next(folder.glob("nginx_*.deb"))), str(folder))
    except (subprocess.CalledProcessError, StopIteration) as error:
        raise EngineError(
            f"nginx cannot be fetched ({error}): install it, or name it in CONFORMANCE_NGINX"
        ) from error
    return str(unpacked)


def _call(folder: Path, *line: str) -> None:
    subprocess.run(line, cwd=folder, check=True, capture_output=True)  # noqa: S603  literals, and a file we asked for


def front_server(nginx: str, truss: Path, folder: Path, engine: int, port: int) -> Command:
    """Write nginx's configuration and return its command.

    Args:
        nginx: Path of nginx.
        truss: Folder of the package `truss`.
        folder: Gets the configuration and nginx's own files.
        engine: Port of the engine on loopback.
        port: Port of the front on loopback.

    Raises:
        EngineError: The installed Truss is not one whose template is understood here.
    """
    inner = find_port()
    container = render_truss(truss, engine).replace(_LISTEN, f"listen 127.0.0.1:{inner};")
    edge = _EDGE.format(
        folder=folder, port=port, inner=inner, target=_TARGET, sign=_SIGN, tiny=_TINY
    )
    (folder / "truss.conf").write_text(container, encoding="utf-8")
    (folder / "nginx.conf").write_text(edge, encoding="utf-8")
    line = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return Command(line, ready=f"http://127.0.0.1:{port}/sync/v1/models")


def serves_tiny(url: str) -> bool:
    """Tell whether the model behind a URL is the suite's own, which knows its answers by heart.

    Args:
        url: Any URL of the front.
    """
    try:
        return bool(fetch(urljoin(url, _SIGN), "") == _TINY)
    except ServedError:
        return False


def render_truss(package: Path, engine: int) -> str:
    """Return the configuration that Truss renders for a custom server.

    Args:
        package: Folder of the package `truss`.
        engine: Port of the engine.

    Raises:
        EngineError: There is no template, or it does not listen where it used to.
    """
    path = package / _TEMPLATE
    if not path.is_file():
        raise EngineError(f"{path} is missing: `pip install --no-deps truss`, then try again")
    # It is configuration for nginx, and nothing in it comes from elsewhere.
    template = jinja2.Template(path.read_text(encoding="utf-8"))
    text: str = template.render(
        transport_kind="http",
        client_max_body_size="100m",
        liveness_endpoint="/health",
        readiness_endpoint="/health",
        server_endpoint="/v1/chat/completions",
        server_port=engine,
    )
    if text.count(_LISTEN) != 1:
        raise EngineError(f"{path} does not say `{_LISTEN}` once: this Truss is not understood")
    return text
