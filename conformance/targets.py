"""Where a check's requests go: the lanes and their canonical addresses, and each target's own.

Knows URLs and model names; must not know checks or cassettes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FAKE_KEY = "conformance-suite-key-0000"
"""What is sent where no real key is needed. It must appear in no cassette either."""


@dataclass(frozen=True)
class Lane:
    """One of the two ways to a model.

    Attributes:
        name: As in the claims table.
        host: Canonical host in cassettes.
        path: Path of the base URL.
        setting: The constructor's argument that takes the URL.
        model: Model that checks use unless they name another.
        alternate_model: A second model, for overrides.
        reasoning_model: A model that reasons without being asked.
        vision_model: A model that takes images.
    """

    name: str
    host: str
    path: str
    setting: str
    model: str
    alternate_model: str
    reasoning_model: str
    vision_model: str

    def url(self, root: str | None = None) -> str:
        """Return the lane's URL at a server's root, or the canonical one."""
        return f"{root or f'https://{self.host}'}{self.path}"

    @property
    def base_path(self) -> str:
        """The path of the OpenAI base URL that the client makes of `path`."""
        return self.path.replace("/predict", "/sync/v1")

    def override_models(self, model: str) -> dict[str, str]:
        """Return who plays which role when a run names a model of its own.

        A deployment serves one model, which then plays all roles; Model APIs serve the others, too.

        Args:
            model: The model.
        """
        roles = ("model",) if self.name == "model-apis" else _ROLES
        return dict.fromkeys(roles, model)

    def with_models(self, models: Mapping[str, str]) -> Lane:
        """Return the same lane with other models in these roles."""
        return replace(self, **models)


_ROLES = ("model", "alternate_model", "reasoning_model", "vision_model")
ENGINE_KEY = "CONFORMANCE_ENGINE_KEY"
"""Variable with the key of an engine that wants one; Baseten's own key never goes there."""

LANES: dict[str, Lane] = {
    "model-apis": Lane(
        name="model-apis",
        host="inference.baseten.co",
        path="/v1",
        setting="base_url",
        model="moonshotai/Kimi-K2.6",
        alternate_model="deepseek-ai/DeepSeek-V3.1",
        reasoning_model="zai-org/GLM-5.2",
        vision_model="moonshotai/Kimi-K2.6",
    ),
    "dedicated": Lane(
        name="dedicated",
        host="model-abcd1234.api.baseten.co",
        path="/environments/production/predict",
        setting="model_url",
        model="omni",
        alternate_model="tiny",
        reasoning_model="tiny",
        vision_model="omni",
    ),
}


def read_model_overrides(models: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return who plays which role in each lane, for models given as `SLUG` or `LANE=SLUG`.

    Args:
        models: The models; one without a lane is meant for both.
    """
    overrides: dict[str, dict[str, str]] = {}
    for given in models:
        name, mark, model = given.partition("=")
        named = bool(mark) and name in LANES
        for lane in [LANES[name]] if named else LANES.values():
            overrides[lane.name] = lane.override_models(model if named else given)
    return overrides


def find_stage(target: str) -> str:
    """Return where the requests of a target go: replay, responder, engine or live.

    Args:
        target: One of these, or one with a defect behind a colon. `client:<defect>`, a broken
            client, talks to the reference server; `replay:<defect>` is that client over
            the cassettes.
    """
    kind = target.partition(":")[0]
    return "reference" if kind == "client" else kind


def choose_settings(
    lane: Lane,
    target: str,
    root: str | None = None,
    url: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """Return the constructor's arguments that reach a lane of a target.

    Args:
        lane: The lane.
        target: `replay`, `reference`, `engine`, `live`, or one with a defect behind a colon.
        root: Root URL of the server that stands in for Baseten; None for Baseten itself.
        url: URL of the engine or deployment that was asked for, in any form that the client takes.
        environment: Where keys and addresses stand.

    Raises:
        LookupError: If neither arguments nor environment say where an engine or a live target is.
    """
    if target not in {"live", "engine"}:
        return {lane.setting: lane.url(root), "model": lane.model, "api_key": FAKE_KEY}
    if not (url or (target == "engine" and root)):
        url = _find_url(lane, target, environment)
    return {
        lane.setting: url or lane.url(root),
        "model": lane.model,
        "api_key": _find_key(target, environment),
    }


def _find_url(lane: Lane, target: str, environment: Mapping[str, str]) -> str:
    if target == "engine":
        raise LookupError("The engine target needs --model-url, the URL at which it answers.")
    if lane.name == "model-apis":
        return environment.get("BASETEN_BASE_URL") or lane.url()
    found = environment.get("BASETEN_DEDICATED_MODEL_URL")
    if not found:
        raise LookupError(
            "The live target needs --model-url or BASETEN_DEDICATED_MODEL_URL for the dedicated "
            "lane: the URL of a deployment as its dashboard shows it."
        )
    return found


def find_keys(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the keys in use, which nothing that is kept or printed may hold.

    Args:
        environment: Where they stand.
    """
    found = (environment.get(name, "").strip() for name in ("BASETEN_API_KEY", ENGINE_KEY))
    return tuple(filter(None, found))


def _find_key(target: str, environment: Mapping[str, str]) -> str:
    if target == "engine":
        return environment.get(ENGINE_KEY, "").strip() or FAKE_KEY
    key = environment.get("BASETEN_API_KEY", "").strip()
    if not key:
        raise LookupError("The live target needs BASETEN_API_KEY in the environment.")
    return key
