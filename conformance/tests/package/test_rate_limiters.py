"""A model with a rate limiter travels: LangChain's own is built anew, another one as it says."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from langchain_core.rate_limiters import BaseRateLimiter, InMemoryRateLimiter

from conformance.tests.package.mock_service import KEY
from langchain_baseten import ChatBaseten


class _OwnLimiter(BaseRateLimiter):
    def acquire(self, *, blocking: bool = True) -> bool:
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        return True


class _Inherits(InMemoryRateLimiter):
    pass


class _Reduces(InMemoryRateLimiter):
    def __reduce__(self) -> Any:
        return _Reduces, ()


def _model(limiter: BaseRateLimiter | None) -> ChatBaseten:
    return ChatBaseten(model="m", api_key=KEY, rate_limiter=limiter)


def _travel(model: ChatBaseten) -> Any:
    return pickle.loads(pickle.dumps(model)).rate_limiter  # noqa: S301  our own bytes


def test_an_unpickled_limiter_has_the_same_settings_and_an_empty_bucket() -> None:
    limiter = InMemoryRateLimiter(
        requests_per_second=1e6, check_every_n_seconds=0.5, max_bucket_size=1
    )
    assert not limiter.acquire(blocking=False)  # starts the clock
    limiter.acquire()
    found = _travel(_model(limiter))

    names = ("requests_per_second", "check_every_n_seconds", "max_bucket_size")
    assert [getattr(found, n) for n in names] == [getattr(limiter, n) for n in names]
    assert type(found) is InMemoryRateLimiter
    assert (found.available_tokens, found.last) == (0, None)
    assert found.acquire()


def test_a_limiter_of_the_users_own_is_pickled_as_it_says() -> None:
    assert _travel(_model(None)) is None
    assert isinstance(_travel(_model(_OwnLimiter())), _OwnLimiter)
    assert isinstance(_travel(_model(_Reduces())), _Reduces)


def test_an_inherited_lock_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"_Inherits as rate_limiter .* Define its __reduce__"):
        pickle.dumps(_model(_Inherits()))


@pytest.mark.parametrize("limiter", [InMemoryRateLimiter(), _Inherits()])
def test_copies_share_the_limiter(limiter: BaseRateLimiter) -> None:
    model = _model(limiter)
    for copied in (copy.copy(model), copy.deepcopy(model), model.model_copy(deep=True)):
        assert copied.rate_limiter is limiter
