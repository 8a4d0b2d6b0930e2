"""The profile of a model, found by its name.

Knows the table of profiles; must not know the service.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import ModelProfile

from langchain_baseten.data._profiles import _PROFILES

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    known = _find_known(model_name)
    # Lists of levels are copied as well: the profile is the user's to change.
    profile = DerivedProfile({k: [*v] if type(v) is list else v for k, v in known.items()})
    profile.model_name = model_name
    return profile


@lru_cache(maxsize=256)
def _find_known(model_name: str) -> Mapping[str, Any]:
    # langchain-core warns of fields that it does not know.
    known = ModelProfile.__annotations__
    return {k: v for k, v in _PROFILES.get(model_name, {}).items() if k in known}
