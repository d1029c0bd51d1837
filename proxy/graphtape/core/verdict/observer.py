"""Watches the requests of a client and reports what Graph's documentation advises against."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from graphtape.core.graph.batch import answers_of
from graphtape.core.matching.key import DEFAULT, MatchOptions
from graphtape.core.message import Request, Response, is_preflight
from graphtape.core.verdict.call import About, Call
from graphtape.core.verdict.page_links import PageLinks
from graphtape.core.verdict.repeats import Repeats
from graphtape.core.verdict.verdict import Kind, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_REMEMBERED = 1024
_LONGEST_REMEMBERED = 8192
"""Bytes of a body."""

_DISCONNECT = ("devicemanagement", "chromeosonboardingsettings", "disconnect")


class Observer:
    """Watches the requests of one session; its memory is bounded.

    It takes requests as the client sent them. What it says is made of numbers, digests and clean
    texts, so that no secret can come out of it. Times are Unix time in seconds, from a clock
    that doesn't jump during a run.
    """

    def __init__(
        self,
        clean: Callable[[str], str],
        *,
        options: MatchOptions = DEFAULT,
        bearing: bool = False,
        check: Callable[[Request], tuple[str, ...]] | None = None,
    ) -> None:
        """Watch from now on.

        Args:
            clean: Takes secrets and identities out of a URL.
            options: Of the session; they say which POSTs only read.
            bearing: Whether the proxy adds the token: then nobody has to send one.
            check: Says what of a request Graph doesn't have, a clean line each; None where nobody
                asks.
        """
        self._clean = clean
        self._bearing = bearing
        self._check = check
        self._repeats = Repeats(options)
        self._pages = PageLinks()
        self._over_beta: set[str] = set()
        self._known: dict[int, tuple[About, ...]] = {}

    @property
    def expects(self) -> bool:
        """Whether the next request may be a repeat that has to be judged."""
        repeats = self._repeats
        return bool(repeats.waits or repeats.doubts)

    def asked(self, number: int, request: Request, *, now: float) -> tuple[Verdict, ...]:
        """See a request arrive, its body whole and decoded."""
        if is_preflight(request):
            return ()
        calls = (Call(number, about) for about in self._about(request))
        return tuple(verdict for call in calls for verdict in self._seen(call, now))

    def _about(self, request: Request) -> tuple[About, ...]:
        """Return what is always the same of a request; that of the same object is remembered."""
        known = self._known.get(id(request))
        if known is not None and known[0].request is request:
            return known
        about = About.all_of(request, self._clean)
        if len(request.body) > _LONGEST_REMEMBERED:
            return about
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[id(request)] = about
        return about

    def of_each(self, request: Request) -> tuple[Kind, ...] | None:
        """Return what every request like this one earns while nothing is `expected`.

        Returns:
            None where it depends on what came before.
        """
        if is_preflight(request):
            return ()
        kinds: list[Kind] = []
        for call in About.all_of(request, self._clean):
            lower = call.request.url.lower()
            if "token" in lower or ("/beta/" in lower and self._is_new_over_beta(call)):
                return None
            if not self._bearing and call.lacks_token:
                kinds.append(Kind.NO_TOKEN)
            kinds += (Kind.LACKS_PERMISSION,) if call.lacking is not None else ()
            kinds += (verdict.kind for verdict in _disconnect_with_body(Call(0, call)))
            kinds += (Kind.NOT_IN_GRAPH for _ in self._not_in_graph(call))
        return _same(tuple(kinds))

    def _is_new_over_beta(self, call: About) -> bool:
        """Tell whether `_beta` would have something to say."""
        return call.in_v1 is not None and call.in_v1 not in self._over_beta

    def answered(
        self, number: int, request: Request, response: Response, *, now: float
    ) -> tuple[Verdict, ...]:
        """See an answer go out whole, its body decoded; where it isn't at hand, empty."""
        for call, answer in self._answers(number, request, response):
            self._pages.give(call, answer)
            self._repeats.answered(call, answer, now=now)
        return ()

    def learn(self, request: Request, response: Response) -> None:
        """Note the links an answer gives; it is enough to see it once."""
        for call, answer in self._answers(0, request, response):
            self._pages.give(call, answer)

    def settled(
        self, number: int, request: Request, response: Response, *, now: float
    ) -> tuple[Verdict, ...]:
        """See what an answer settles or leaves open; of a `$batch` its body is needed."""
        for call, answer in self._answers(number, request, response):
            self._repeats.answered(call, answer, now=now)
        return ()

    def _answers(
        self, number: int, request: Request, response: Response
    ) -> Iterator[tuple[Call, Response]]:
        whole, *parts = self._about(request)
        yield Call(number, whole), response
        answers = answers_of(response) if parts else {}
        for part in parts:
            answer = answers.get(part.id)
            if answer is not None:
                yield Call(number, part), answer

    def broke(self, number: int, request: Request) -> tuple[Verdict, ...]:
        """See a request end without a whole answer, whoever broke it off."""
        self._repeats.broke(Call(number, self._about(request)[0]))
        return ()

    def ended(self, *, now: float) -> tuple[Verdict, ...]:
        """See the run end; in the order of the requests."""
        return tuple(sorted(self._repeats.ended(now=now), key=lambda verdict: verdict.number))

    def _seen(self, call: Call, now: float) -> Iterator[Verdict]:
        yield from self._of_token(call)
        yield from _disconnect_with_body(call)
        yield from self._made_up(call)
        yield from self._beta(call)
        yield from self._repeats.asked(call, now=now)
        for text in self._not_in_graph(call.about):
            yield call.verdict(Kind.NOT_IN_GRAPH, f"({call.what}): {text}")

    def _not_in_graph(self, call: About) -> tuple[str, ...]:
        """Return what of a call Graph doesn't have; that of the same object is remembered."""
        if self._check is None:
            return ()
        if call.not_in_graph is None:
            call.not_in_graph = self._check(call.request)
        return call.not_in_graph

    def _of_token(self, call: Call) -> Iterator[Verdict]:
        if not self._bearing:
            yield from _without_token(call)
        text = call.about.lacking
        if text is not None:
            yield call.verdict(Kind.LACKS_PERMISSION, f"({call.what}) {text}")

    def _made_up(self, call: Call) -> Iterator[Verdict]:
        name = self._pages.made_up(call)
        if name is not None:
            text = f"({call.what}) has a {name} in a URL that no answer of this session gave"
            yield call.verdict(Kind.MADE_UP_SKIPTOKEN, text)

    def _beta(self, call: Call) -> Iterator[Verdict]:
        """Name each operation once: a client calls it over and over."""
        operation = call.about.in_v1
        if operation is None or operation in self._over_beta:
            return
        self._over_beta.add(operation)
        text = f"called {operation} over /beta, which v1.0 has too"
        yield call.verdict(Kind.V1_OVER_BETA, text)


@lru_cache(maxsize=64)
def _same(kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Return the same object for the same kinds: many requests keep theirs."""
    return kinds


def leaves_open(response: Response, *, batch: bool) -> bool:
    """Tell whether an answer matters to what comes next, so that `settled` is to see it each time.

    Args:
        response: The answer.
        batch: Whether it is that of a `$batch`, whose parts count.
    """
    if Repeats.judges(response):
        return True
    return batch and any(Repeats.judges(each) for each in answers_of(response).values())


def may_give_links(response: Response) -> bool:
    """Tell whether `learn` may find links in an answer: Graph's, relative, or somebody else's."""
    fields = response.headers
    readable = response.body and "Content-Encoding" not in fields
    return not readable or "Location" in fields or b'Link"' in response.body


def _without_token(call: Call) -> Iterator[Verdict]:
    """Look for a token where Graph asks for one; a batch carries it for its parts."""
    if call.about.lacks_token:
        value = call.request.headers.get("Authorization")
        text = (
            "without Authorization" if value is None else "with an Authorization that is no token"
        )
        yield call.verdict(Kind.NO_TOKEN, f"({call.what}) was sent {text}")


def _disconnect_with_body(call: Call) -> Iterator[Verdict]:
    request = call.request
    if request.body and request.method.upper() == "POST" and call.path == _DISCONNECT:
        size = f"{len(request.body)} byte" + ("s" if len(request.body) > 1 else "")
        text = f"sent disconnect with a body of {size}; Graph documents none"
        yield call.verdict(Kind.DISCONNECT_WITH_BODY, text)
