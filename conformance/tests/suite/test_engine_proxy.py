from __future__ import annotations

import os
import re
from pathlib import Path

import httpx
import pytest

from conformance.maintenance.engines.proxy import find_nginx, front_server, render_truss
from conformance.maintenance.engines.serve import EngineError, find_port, run
from conformance.reference import AnswerPlan, LoopbackServer, ReceivedRequest
from conformance.reference.exchange import plan_json

# No copy of theirs: as little as shows that the right one is read, and with which names.
TEMPLATE = """# {{ transport_kind }}
access_log off;
client_body_temp_path body;
proxy_temp_path proxy;
fastcgi_temp_path fastcgi;
uwsgi_temp_path uwsgi;
scgi_temp_path scgi;
server {
    listen 8080;
    client_max_body_size {{ client_max_body_size }};
    location ~ ^/v1/models/model:predict$ {
        rewrite ^ {{ server_endpoint }} break;
        proxy_pass http://127.0.0.1:{{ server_port }};
    }
    location / { proxy_pass http://127.0.0.1:{{ server_port }}; }
}
"""


@pytest.fixture
def truss(tmp_path: Path) -> Path:
    path = tmp_path / "truss/templates/docker_server/proxy.conf.jinja"
    path.parent.mkdir(parents=True)
    path.write_text(TEMPLATE, encoding="utf-8")
    return tmp_path / "truss"


def test_the_template_of_the_installed_truss_is_rendered_if_it_is_understood(truss: Path) -> None:
    text = render_truss(truss, 8100)
    assert "rewrite ^ /v1/chat/completions break" in text
    assert text.count("http://127.0.0.1:8100") == 2
    with pytest.raises(EngineError, match="pip install --no-deps truss"):
        render_truss(truss / "none", 8100)
    path = truss / "templates/docker_server/proxy.conf.jinja"
    path.write_text(TEMPLATE.replace("8080", "9090"), encoding="utf-8")
    with pytest.raises(EngineError, match="not understood"):
        render_truss(truss, 8100)


def test_the_front_listens_on_loopback_alone(truss: Path, tmp_path: Path) -> None:
    command = front_server("nginx", truss, tmp_path, 8100, 8200)
    written = [
        (tmp_path / name).read_text(encoding="utf-8") for name in ("nginx.conf", "truss.conf")
    ]
    found = re.findall(r"listen ([^;]+);", "".join(written))
    assert len(found) == 2
    assert all(where.startswith("127.0.0.1:") for where in found)
    assert command.line[0] == "nginx"
    assert command.ready == "http://127.0.0.1:8200/sync/v1/models"


def write_script(path: Path, code: int = 0) -> str:
    path.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
    path.chmod(0o700)
    return str(path)


def test_a_named_nginx_is_taken_and_without_any_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CONFORMANCE_NGINX", named := write_script(tmp_path / "mine"))
    assert find_nginx(tmp_path / "cache") == named
    monkeypatch.delenv("CONFORMANCE_NGINX")
    with pytest.raises(EngineError, match="CONFORMANCE_NGINX"):
        find_nginx(tmp_path / "cache")


def test_a_failing_download_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("apt-get", "dpkg"):
        write_script(tmp_path / name, 7)
    monkeypatch.delenv("CONFORMANCE_NGINX", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr("shutil.which", lambda name: None if name == "nginx" else f"/{name}")
    with pytest.raises(EngineError, match="cannot be fetched"):
        find_nginx(tmp_path / "cache")


def echo(request: ReceivedRequest) -> AnswerPlan:
    return plan_json(200, {"path": request.path})


def test_the_documented_urls_reach_the_container_as_the_service_sends_them(
    truss: Path, tmp_path: Path
) -> None:
    nginx = os.environ.get("CONFORMANCE_NGINX")
    if not nginx:
        pytest.skip("no nginx is named in CONFORMANCE_NGINX")
    port, chat = find_port(), "/v1/chat/completions"
    paths = {
        f"/sync{chat}": chat,
        f"/production/sync{chat}": chat,
        f"/environments/staging/sync{chat}": chat,
        f"/deployment/abc/sync{chat}": chat,
        "/environments/production/sync/version": "/version",
        "/environments/production/predict": chat,
        "/predict": chat,
    }
    with LoopbackServer(echo) as engine:
        inner = int(engine.url.rpartition(":")[2])
        with run(front_server(nginx, truss, tmp_path, inner, port), tmp_path / "log"):
            root = f"http://127.0.0.1:{port}"
            found = {p: httpx.post(root + p, trust_env=False).json()["path"] for p in paths}
            missed = httpx.post(f"{root}{chat}", trust_env=False)
    assert found == paths
    assert missed.status_code == 404
