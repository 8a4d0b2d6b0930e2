"""Where a check's requests go: the lanes and their canonical addresses, and each target's own.

Knows URLs and model names; must not know checks or cassettes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        other: A second model, for overrides.
        thinker: A model that reasons without being asked.
        seer: A model that takes images.
    """

    name: str
    host: str
    path: str
    setting: str
    model: str
    other: str
    thinker: str
    seer: str

    def url(self, root: str | None = None) -> str:
        """Return the lane's URL at a server's root, or the canonical one."""
        return f"{root or f'https://{self.host}'}{self.path}"


LANES: Mapping[str, Lane] = {
    "model-apis": Lane(
        name="model-apis",
        host="inference.baseten.co",
        path="/v1",
        setting="base_url",
        model="moonshotai/Kimi-K2.6",
        other="deepseek-ai/DeepSeek-V3.1",
        thinker="zai-org/GLM-5.2",
        seer="moonshotai/Kimi-K2.6",
    ),
    "dedicated": Lane(
        name="dedicated",
        host="model-abcd1234.api.baseten.co",
        path="/environments/production/predict",
        setting="model_url",
        model="omni",
        other="tiny",
        thinker="tiny",
        seer="omni",
    ),
}


def find_stage(target: str) -> str:
    """Return where the requests of a target go: replay, peer, engine or live.

    Args:
        target: One of these, or one with a deviant behind a colon. A broken client, `client:<lie>`,
            talks to the reference peer; `replay:<lie>` is the same client over the cassettes.
    """
    kind = target.partition(":")[0]
    return "peer" if kind == "client" else kind


def choose_settings(lane: Lane, target: str, root: str | None = None) -> dict[str, Any]:
    """Return the constructor's arguments that reach a lane of a target.

    Args:
        lane: The lane.
        target: `replay`, `peer`, `engine`, `live`, or one with a deviant behind a colon.
        root: Root URL of the server that stands in for Baseten; None for Baseten itself.

    Raises:
        LookupError: If the environment does not say where a live target is.
    """
    if target != "live":
        return {lane.setting: lane.url(root), "model": lane.model, "api_key": FAKE_KEY}
    key = os.environ.get("BASETEN_API_KEY")
    dedicated = os.environ.get("BASETEN_DEDICATED_MODEL_URL")
    if not key or (lane.name == "dedicated" and not dedicated):
        raise LookupError(
            "The live target needs BASETEN_API_KEY, and for the dedicated lane "
            "BASETEN_DEDICATED_MODEL_URL."
        )
    url = dedicated if lane.name == "dedicated" else lane.url()
    return {lane.setting: url, "model": lane.model, "api_key": key}
