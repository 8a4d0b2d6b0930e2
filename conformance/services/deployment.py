"""Somebody's own service under judgement: where it is, what it is asked, and what that may cost.

Knows URLs of services, and the pytest plugin of such a run; must not know how requests are counted
(`budget`) nor what a verdict is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

import pytest

from conformance.claims.table import load_table
from conformance.deadline import Deadline
from conformance.outbound.model_listing import (
    ServedError,
    choose_model,
    describe_listing,
    list_served,
    no_longer_than,
    wait_until_awake,
)
from conformance.outbound.service_discovery import (
    ServiceAddressError,
    check_url,
    find_endpoint,
    resolve_base_url,
)
from conformance.recording.cassettes import ROOT, estimate, name_cassette
from conformance.recording.recorder import find_lane, is_recorded
from conformance.services.abilities import ABSENT_UNASKED, find_inability
from conformance.services.budget import Limits, Meter
from conformance.services.reported_defects import STREAMED, STREAMS_FAIL, find_accused
from conformance.targets import LANES, choose_settings
from conformance.verdicts.bound_items import (
    evidence_of,
    is_bound,
    note_accused,
    note_cost,
    note_problem,
    places_of,
)
from conformance.verdicts.costs import Cost, add_up

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    from conformance.verdicts.evidence import Evidence

__all__ = ["Service", "ServiceError", "aim", "choose_limits", "estimate_check", "state_source"]

_HOSTED = "inference.baseten.co"
_OWN = ".baseten.co"
# A deployment of Baseten's that was scaled to zero answers when a replica is up.
_SILENCE = {"engine": 120.0, "live": 600.0}
_LOOK_UP = 60.0
"""Seconds that asking for the models may take at least; a service may wake up meanwhile."""
_FIRST = ("messages.invoke.string", "streaming.sync.adds-up", "tools.invoke.call")
"""What is asked first: a plain question, and then whether streams and calls work at all, as many
checks need."""
_LAST = "messages.invoke.objects"
"""What is judged by counts of tokens: by then it is known whether those are right."""
_STREAM = "test_a_stream_holds_what_is_said_at_once"
_ROLES = ("model", "alternate_model", "reasoning_model", "vision_model")
_ENDED = (Exception, pytest.fail.Exception, pytest.skip.Exception)
"""How a check ends that does not pass; whoever interrupts it ends all of them."""
_METER = pytest.StashKey[Meter]()
_SOURCE = pytest.StashKey[str]()


class ServiceError(ValueError):
    """The service cannot be judged as asked for; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where somebody's own model answers.

    Attributes:
        target: `live` at Baseten's own hosts, `engine` anywhere else.
        lane: The lane whose checks it is asked.
        url: Its URL; empty for Model APIs.
        model: The model to ask for; empty if the service is to be asked for its name.
    """

    target: str
    lane: str
    url: str
    model: str

    def write_options(self, **limits: float | None) -> tuple[str, ...]:
        """Return the options of pytest, without the limits that are None; never a key."""
        options = {"model-url": self.url, "model": self.model, **limits}
        given = {name: each for name, each in options.items() if each not in {"", None}}
        reported = (f"--{name.replace('_', '-')}={each}" for name, each in given.items())
        return ("-p", "conformance.services.deployment", *reported)


def aim(
    url: str, model: str, environment: Mapping[str, str] = os.environ, *, requested: bool = True
) -> Service:
    """Return the service that a URL, a slug, or both stand for.

    Args:
        url: A deployment's URL in any form that the client takes, or an engine's base URL.
        model: A model's slug.
        environment: Where the key stands.
        requested: Whether anything is going to be sent; an estimate needs no key.

    Raises:
        ServiceError: The URL is none, Model APIs are asked without a slug, or the key is missing.
    """
    if url:
        try:
            check_url(url)
        except ServiceAddressError as error:
            raise ServiceError(f"the URL: {error}") from error
    host = (urlsplit(url.strip()).hostname or "").lower()
    hosted = not url or host == _HOSTED
    if hosted and not model:
        raise ServiceError("Model APIs serve many models: name one, as `model SLUG`")
    own = hosted or host.endswith(_OWN)
    if own and requested and not environment.get("BASETEN_API_KEY", "").strip():
        raise ServiceError("the key is missing: set BASETEN_API_KEY in the environment")
    lane = "model-apis" if hosted else "dedicated"
    return Service("live" if own else "engine", lane, "" if hosted else url.strip(), model)


def estimate_check(check: str, lane: str, root: Path = ROOT) -> Cost:
    """Return what a check cost when its cassette was recorded; nothing without a cassette.

    Args:
        check: Node id.
        lane: Its lane.
        root: Folder of the cassettes.
    """
    return estimate([root / name_cassette(check, lane)])


def choose_limits(estimate: Cost, max_requests: int | None, max_tokens: int | None) -> Limits:
    """Return a run's limits: those that are given, else what covers the estimate.

    Args:
        estimate: What the checks of the run are estimated to cost.
        max_requests: Limit of requests, if one is given.
        max_tokens: Limit of tokens, if one is given.
    """
    limits = Limits.covering(estimate)
    return Limits(
        limits.requests if max_requests is None else max_requests,
        limits.tokens if max_tokens is None else max_tokens,
    )


def state_source(evidence: Evidence, target: str, host: str) -> None:
    """State what a check rests on; what is live states itself, with its date."""
    if target == "engine":
        evidence.came_from("engine", f"at {host}")


# --- the plugin of the run ------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    option = parser.getgroup("conformance").addoption
    option("--max-requests", type=int, help="send no more requests")
    option("--max-tokens", type=int, help="spend no more tokens")
    option("--max-silence", type=float, help="wait no more seconds for an answer to go on")


def pytest_sessionstart(session: pytest.Session) -> None:
    option = session.config.option
    requested = not option.collectonly
    service = aim(option.model_url or "", next(iter(option.model), ""), requested=requested)
    model, stopped, guess = service.model, "", ""
    silence = option.max_silence or _SILENCE[service.target]
    if service.url and requested:
        deadline = Deadline()
        deadline.begin(max(silence, _LOOK_UP), _give_up)
        try:
            with no_longer_than(silence):
                option.model_url, served, guess = _look_up(service)
            model = model or served
        except (ServiceAddressError, ServedError) as error:
            stopped = str(error)
        finally:
            deadline.end()
    if model:
        override = dict.fromkeys(_ROLES, model)
        LANES[service.lane] = LANES[service.lane].with_models(override)
    meter = Meter(Limits(), model, silence, guess)
    meter.stopped = stopped
    session.config.stash[_METER] = meter
    session.config.stash[_SOURCE] = urlsplit(service.url).netloc


def _give_up() -> NoReturn:
    raise ServedError("the list of models is sent without an end: name the model with --model")


def _look_up(service: Service) -> tuple[str, str, str]:
    """Return the service's URL as the client takes it, and its model unless it is the lane's.

    The third says why that model is a guess; it is empty for one that the service lists.
    """
    lane = LANES[service.lane]
    settings = choose_settings(lane, service.target, url=service.url)
    key = settings["api_key"]
    if not service.model:
        wait_until_awake(find_endpoint(settings).base_url, key)
    url = resolve_base_url(service.url, key)
    endpoint = find_endpoint(settings | {lane.setting: url})
    if service.model:
        return url, "", ""
    served = list_served(endpoint.base_url, key)
    # A deployment without a list is asked for the name that the client derives from its URL.
    guess = "" if served else describe_listing(endpoint.base_url, key)
    return url, choose_model(lane, served, endpoint.model_name), guess


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = [item for item in items if not _is_requested(item)]
    items[:] = [item for item in items if _is_requested(item)]
    config.hook.pytest_deselected(items=left)
    option = config.option
    order = {claim.id: at for at, claim in enumerate(load_table(option.claims_file).judged)}
    # A plain question comes first: what a service makes of it tells whether it is one.
    order |= {claim: at - len(_FIRST) for at, claim in enumerate(_FIRST)} | {_LAST: len(order)}
    items.sort(key=lambda item: min(map(order.__getitem__, _list_claims(item))))
    # What the plain question's own stream lacks is for this check to say.
    items[1:] = sorted(items[1:], key=lambda item: not item.name.startswith(_STREAM))
    estimate = add_up(estimate_item(item, option.cassettes) for item in items)
    limits = choose_limits(estimate, option.max_requests, option.max_tokens)
    config.stash[_METER].limits = limits


def estimate_item(item: pytest.Item, root: Path) -> Cost:
    """Return what a check cost when its cassette was recorded; nothing outside a lane.

    Args:
        item: The check.
        root: Folder of the cassettes.
    """
    lane = find_lane(item)
    return estimate_check(item.nodeid, lane.name, root) if lane else Cost(0, 0)


def _list_claims(item: pytest.Item) -> list[str]:
    return [place.claim for place in places_of(item)]


def _is_requested(item: pytest.Item) -> bool:
    # A benchmark asks as often as it pleases; what judges no claim costs no token.
    return is_recorded(item) and is_bound(item) and not item.get_closest_marker("benchmark")


def pytest_sessionfinish(session: pytest.Session) -> None:
    # There is none when the session could not start.
    if meter := session.config.stash.get(_METER, None):
        note_cost(session.config, Cost(meter.requests, meter.tokens))
        if failed := meter.failures.tell(meter.requests):
            note_problem(session.config, failed)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge no check by a request that got no answer, or by what its model cannot do."""
    meter = item.config.stash[_METER]
    judged = [item.name, *_list_claims(item)]
    error: BaseException | None = None
    meter.begin(plain=_FIRST[0] in judged)
    try:
        try:
            yield
        except _ENDED as ended:
            if isinstance(ended, pytest.skip.Exception) and not meter.withheld:
                raise
            error = _run_again(item, meter, ended)
    finally:
        meter.end()
    _judge(item, meter, judged, failed=error is not None)
    if error:
        raise error
    return None


def _run_again(item: pytest.Item, meter: Meter, error: BaseException) -> BaseException | None:
    """Run a failed check again as long as the service fails in it; return how it ends."""
    meter.end()
    runs, failures = [meter.observed], meter.failures
    left: BaseException | None = error
    while left and not meter.withheld and failures.may_pass(runs, meter.accepted):
        meter.begin()
        try:
            item.runtest()
            left = None
        except _ENDED as ended:
            left = ended
        meter.end()
        runs.append(meter.observed)
    if why := failures.settle(runs, meter.accepted, passed=left is None):
        pytest.skip(f"the service fails at times: {why}")
    return left


def _judge(item: pytest.Item, meter: Meter, judged: list[str], *, failed: bool) -> None:
    # Whatever the check made of it: it did not get what it asked for.
    if meter.elsewhere:
        evidence_of(item).not_applicable(meter.withheld)
    if meter.withheld:
        pytest.skip(meter.withheld)
    note_accused(item, find_accused(meter.observed, meter.accepted))
    silent = failed or ABSENT_UNASKED in judged
    if silent and (why := find_inability(judged, meter.observed, meter.accepted)):
        evidence_of(item).not_applicable(why)
    if failed and STREAMED in judged:
        meter.accepted.add(STREAMS_FAIL)


@pytest.fixture(autouse=True)
def _metered(request: pytest.FixtureRequest, target: str) -> Iterator[None]:
    """Lie around whatever the check sends, and say who answered."""
    meter = request.config.stash[_METER]
    state_source(evidence_of(request.node), target, request.config.stash[_SOURCE])
    if meter.stopped:
        pytest.skip(meter.stopped)
    with pytest.MonkeyPatch.context() as patch:
        meter.install(patch)
        yield
