"""The profile of a model, found by its name.

Knows the table of profiles; must not know the service.
"""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import ModelProfile

from langchain_baseten.data._profiles import _PROFILES


class DerivedProfile(dict[str, Any]):
    """A profile that was found by a model's name; found again if the name changes.

    Attributes:
        model_name: The name.
    """

    model_name: str


def find_profile(model_name: str) -> DerivedProfile:
    """Return a copy of a model's profile, empty for a name that is not in the table.

    Args:
        model_name: Slug of the model.
    """
    known = ModelProfile.__annotations__  # langchain-core warns of fields that it does not know
    found = _PROFILES.get(model_name, {})
    profile = DerivedProfile({k: _copy(v) for k, v in found.items() if k in known})
    profile.model_name = model_name
    return profile


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value
