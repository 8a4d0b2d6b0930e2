"""Rate limiters in pickles: LangChain's own holds a lock, so it is rebuilt when it is unpickled.

Knows limiters only; must not know models.
"""

from __future__ import annotations

from typing import Any

from langchain_core.rate_limiters import InMemoryRateLimiter

_HOOKS = ("__reduce_ex__", "__reduce__", "__getstate__")


def prepare_limiter(limiter: Any) -> Any:
    """Return what a pickle holds in the place of a rate limiter.

    Args:
        limiter: The rate limiter of a model, or None.

    Returns:
        For an `InMemoryRateLimiter`, an object that is unpickled as a new one with the same
        settings, which limits its own process only. Anything else as it is.

    Raises:
        TypeError: If the limiter inherits the lock and does not define how it is pickled.
    """
    if type(limiter) is InMemoryRateLimiter:
        return _NewLimiter(limiter)
    if isinstance(limiter, InMemoryRateLimiter) and not _defines_pickling(type(limiter)):
        raise TypeError(
            f"A model with a {type(limiter).__name__} as rate_limiter cannot be pickled: it "
            "inherits the lock of InMemoryRateLimiter. Define its __reduce__, or set "
            "model.rate_limiter where the model is used."
        )
    return limiter


def _defines_pickling(kind: type) -> bool:
    return any(getattr(kind, name) is not getattr(object, name) for name in _HOOKS)


class _NewLimiter:
    """Unpickled, it is a limiter with an empty bucket: clocks differ between machines."""

    def __init__(self, limiter: InMemoryRateLimiter) -> None:
        self._settings = (
            limiter.requests_per_second,
            limiter.check_every_n_seconds,
            limiter.max_bucket_size,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _build, self._settings


def _build(rate: float, interval: float, size: float) -> InMemoryRateLimiter:
    return InMemoryRateLimiter(
        requests_per_second=rate, check_every_n_seconds=interval, max_bucket_size=size
    )
