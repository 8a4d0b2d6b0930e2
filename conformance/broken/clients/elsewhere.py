"""Clients whose defect shows elsewhere than in answers: typed events, lists, vectors, limits."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, wrap
from langchain_baseten import (
    BasetenEmbeddings,
    BasetenError,
    BasetenIncompleteStreamError,
    ChatBaseten,
    _streaming,
    embeddings,
)
from langchain_baseten._config import endpoint, service, settings
from langchain_baseten._config.listing import ListingService
from langchain_baseten._http import clients, parallel, receipts, retries
from langchain_baseten._http.transport import AsyncTransport
from langchain_baseten._protocol.embeddings import _Reader
from langchain_baseten._protocol.sse import EventDecoder
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.typed_events import EventWriter
from langchain_baseten._streaming import StreamingHooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch

_MEGABYTE = 2**20
_SILENCE = 120


def leaves_typed_events_open(patch: Patch) -> None:
    kept: list[Any] = []
    real = AsyncTransport.stream

    def stream(self: Any, request: Any, reader: Any) -> Any:
        kept.append(real(self, request, reader))
        # An iterator that knows no `aclose` is left to the garbage, which never comes.
        return _Left(kept[-1]) if reader.func is _streaming._read_events else kept[-1]

    patch.setattr(AsyncTransport, "stream", stream)


class _Left:
    def __init__(self, events: Any) -> None:
        self._events = events

    def __aiter__(self) -> Any:
        return self._events

    async def aclose(self) -> None:
        """Close nothing."""


def _change_asking(patch: Patch, change: Callable[[Any, Any], Any], *names: str) -> None:
    """Change messages and options that typed events are asked for with."""
    for name in names or ("_write_events", "_awrite_events"):
        real = getattr(StreamingHooks, name)

        def write(self: Any, requested: Any, *given: Any, real: Any = real, **options: Any) -> Any:
            requested, options = change(requested, options)
            return real(self, requested, *given, **options)

        patch.setattr(StreamingHooks, name, write)


def asks_for_usage_of_typed_events(patch: Patch) -> None:
    _change_asking(patch, lambda requested, options: (requested, {**options, "stream_usage": True}))


def waits_in_silence_of_typed_events(patch: Patch) -> None:
    _change_asking(
        patch, lambda requested, options: (requested, {**options, "stream_chunk_timeout": None})
    )


def never_retries_awaited_typed_events(patch: Patch) -> None:
    _change_asking(
        patch,
        lambda requested, options: (requested, {**options, "max_retries": 0}),
        "_awrite_events",
    )


def asks_for_typed_events_without_headers(patch: Patch) -> None:
    lost = {"extra_headers", "extra_query", "include_response_headers"}
    _change_asking(
        patch,
        lambda requested, options: (requested, {k: v for k, v in options.items() if k not in lost}),
    )


def asks_for_typed_events_without_reasoning(patch: Patch) -> None:
    def forget(requested: Any, options: Any) -> Any:
        return [each.model_copy(update={"additional_kwargs": {}}) for each in requested], options

    _change_asking(patch, forget)


def keeps_nothing_of_broken_typed_events(patch: Patch) -> None:
    patch.setattr(EventWriter, "messages", property(lambda _: []))


def _is_typed(reader: Any) -> bool:
    return isinstance(reader._writer, EventWriter)


def ends_cut_typed_events(patch: Patch) -> None:
    real = StreamReader._check_end

    def check(self: Any) -> None:
        try:
            real(self)
        except BasetenIncompleteStreamError:
            if not _is_typed(self):
                raise

    patch.setattr(StreamReader, "_check_end", check)


def hides_errors_among_typed_events(patch: Patch) -> None:
    real = StreamReader._read_payload

    def read(self: Any, payload: Any, name: str) -> Any:
        is_lost = _is_typed(self) and "error" in payload
        return [] if is_lost else real(self, payload, name)

    patch.setattr(StreamReader, "_read_payload", read)


def stops_typed_events_at_finish(patch: Patch) -> None:
    real = StreamReader._read_choice

    def read(self: Any, choice: Any) -> Any:
        is_late = _is_typed(self) and self._finish_reason is not None
        return {} if is_late else real(self, choice)

    patch.setattr(StreamReader, "_read_choice", read)


def tells_typed_events_no_refusals(patch: Patch) -> None:
    real = EventWriter.write

    def write(self: Any, fields: Any) -> Any:
        side = fields.get("additional_kwargs", {})
        kept = {name: text for name, text in side.items() if name != "refusal"}
        return real(self, {**fields, "additional_kwargs": kept} if side else fields)

    patch.setattr(EventWriter, "write", write)


def _change_model(patch: Patch, kind: Any, name: str, **update: Any) -> None:
    """Build a request as a copy of the model with other settings would."""
    real = getattr(kind, name)
    patch.setattr(
        kind,
        name,
        lambda self, *given, **options: real(self.model_copy(update=update), *given, **options),
    )


def lists_without_headers(patch: Patch) -> None:
    lost = {"default_headers": None, "default_query": None}
    _change_model(patch, ListingService, "_build_listing_request", **lost)


def lists_at_the_first_try(patch: Patch) -> None:
    _change_model(patch, ListingService, "_build_listing_request", max_retries=0)


def lists_without_a_time_limit(patch: Patch) -> None:
    _change_model(patch, ListingService, "_build_listing_request", timeout=None)


def embeds_without_headers(patch: Patch) -> None:
    _change_model(patch, BasetenEmbeddings, "_build_request", default_headers=None)


def embeds_without_a_query(patch: Patch) -> None:
    _change_model(patch, BasetenEmbeddings, "_build_request", default_query=None)


def embeds_at_the_first_try(patch: Patch) -> None:
    _change_model(patch, BasetenEmbeddings, "_build_request", max_retries=0)


def embeds_one_batch_at_a_time(patch: Patch) -> None:
    wrap(patch, embeddings, "run_in_threads", lambda real: lambda jobs, _: real(jobs, 1))


def embeds_all_batches_at_once_on_the_loop(patch: Patch) -> None:
    wrap(patch, embeddings, "run_in_tasks", lambda real: lambda jobs, _: real(jobs, len(jobs) or 1))


def embeds_thirty_two_texts_at_most(patch: Patch) -> None:
    wrap(patch, embeddings, "_batch", lambda real: lambda texts, size: real(texts, min(size, 32)))


def takes_vectors_of_any_length(patch: Patch) -> None:
    patch.setattr(embeddings, "check_lengths", lambda _: None)


def counts_texts_anew_in_each_batch(patch: Patch) -> None:
    patch.setattr(_Reader, "_name", lambda _, position: position)


def blocks_the_loop_for_the_vector_of_a_question(patch: Patch) -> None:
    async def embed(self: Any, text: str) -> Any:
        return self.embed_query(text)

    patch.setattr(BasetenEmbeddings, "aembed_query", embed)


def reads_responses_of_a_megabyte(patch: Patch) -> None:
    _change_model(patch, ChatBaseten, "_build_http_request", max_response_bytes=_MEGABYTE)


def reads_events_of_a_megabyte(patch: Patch) -> None:
    real = EventDecoder.__init__

    def begin(self: Any, limit: int | None = None) -> None:
        real(self, min(limit or _MEGABYTE, _MEGABYTE))

    patch.setattr(EventDecoder, "__init__", begin)


def waits_for_bodies_of_errors(patch: Patch) -> None:
    patch.setattr(receipts, "_ERROR_SECONDS", 1_200.0)


def waits_for_whole_seconds_alone(patch: Patch) -> None:
    patch.setattr(retries, "_number", lambda text: float(text) if text.isdigit() else None)


def _change_silence(patch: Patch, seconds: float) -> None:
    """Change how long silence may last unless that is set."""
    real = ChatBaseten._build_http_request

    def build(self: Any, *given: Any, **options: Any) -> Any:
        is_set = "stream_chunk_timeout" in self.model_fields_set
        if options.get("idle") == _SILENCE and not is_set:
            options["idle"] = seconds
        return real(self, *given, **options)

    patch.setattr(ChatBaseten, "_build_http_request", build)


def takes_ten_seconds_for_silence(patch: Patch) -> None:
    _change_silence(patch, 10)


def waits_twenty_minutes_in_silence(patch: Patch) -> None:
    _change_silence(patch, 1_200)


def _change_urls(patch: Patch, change: Callable[[Any], Any]) -> None:
    answer_with(patch, endpoint, "split_url", change)


def loses_ports(patch: Patch) -> None:
    def lose(url: Any) -> Any:
        is_far = "127.0.0.1" not in url.origin
        return url._replace(origin=re.sub(r":\d+$", "", url.origin)) if is_far else url

    _change_urls(patch, lose)


def lowers_paths_of_deployments(patch: Patch) -> None:
    def lower(url: Any) -> Any:
        is_dedicated = url.host.startswith("model-")
        return url._replace(segments=tuple(map(str.lower, url.segments))) if is_dedicated else url

    _change_urls(patch, lower)


def pickles_the_words_of_an_error_alone(patch: Patch) -> None:
    patch.setattr(
        BasetenError, "__reduce__", lambda self: (type(self), (str(self),)), raising=False
    )


def shows_keys_of_embeddings(patch: Patch) -> None:
    def tell(self: Any) -> Any:
        yield "api_key", self.baseten_api_key.get_secret_value()

    patch.setattr(BasetenEmbeddings, "__repr_args__", tell, raising=False)


def waits_for_all_vectors(patch: Patch) -> None:
    def run(jobs: Any, limit: int) -> Any:
        with ThreadPoolExecutor(limit) as pool:
            requested = [pool.submit(job) for job in jobs]
        return [each.result() for each in requested]

    patch.setattr(embeddings, "run_in_threads", run)


async def _keep(job: Any) -> Any:
    try:
        return await job()
    except BasetenError as error:
        return error


def waits_for_all_vectors_on_the_loop(patch: Patch) -> None:
    real = parallel.run_in_tasks

    async def run(jobs: Any, limit: int) -> Any:
        found: list[Any] = await real([partial(_keep, job) for job in jobs], limit)
        for error in (each for each in found if isinstance(each, BasetenError)):
            raise error
        return found

    patch.setattr(embeddings, "run_in_tasks", run)


def knows_httpx2_alone(patch: Patch) -> None:
    real = clients.check_client_kind

    def check(name: str, client: Any, **options: Any) -> None:
        if type(client).__module__.partition(".")[0] == "httpx":
            raise ValueError(f"{name} is no client of httpx2")
        real(name, client, **options)

    for module in (settings, service):
        patch.setattr(module, "check_client_kind", check)
