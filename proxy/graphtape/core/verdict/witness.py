"""Who watches what a client does, and says what is worth knowing about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.batch import answers_of
from graphtape.core.graph import is_sign_in
from graphtape.core.matching import DEFAULT
from graphtape.core.message import is_preflight
from graphtape.core.origin import off_graph_origin
from graphtape.core.verdict.call import Call
from graphtape.core.verdict.page_links import PageLinks
from graphtape.core.verdict.released import released
from graphtape.core.verdict.repeats import Repeats
from graphtape.core.verdict.verdict import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graphtape.core.matching import MatchOptions
    from graphtape.core.message import Request, Response
    from graphtape.core.verdict.verdict import Verdict

_VERSIONS = frozenset({"v1.0", "beta", "v2"})
_SCHEMES = frozenset({"bearer", "pop"})
_JUDGED = "/devicemanagement/"
"""In the path of every operation whose permissions are known."""

_DISCONNECT = ("devicemanagement", "chromeosonboardingsettings", "disconnect")


class Witness:
    """Watches the requests of one session; its memory is bounded.

    It takes requests as the client sent them. Of what it hears it keeps numbers, digests and clean
    texts, so that no secret can come out of it. Times are Unix time in seconds, from a clock
    that doesn't jump during a run.
    """

    def __init__(
        self,
        clean: Callable[[str], str],
        *,
        options: MatchOptions = DEFAULT,
        bearing: bool = False,
    ) -> None:
        """Watch from now on.

        Args:
            clean: Takes secrets and identities out of a URL.
            options: Of the session; they say which POSTs only read.
            bearing: Whether the proxy adds the token: then nobody has to send one.
        """
        self._clean = clean
        self._bearing = bearing
        self._repeats = Repeats(options)
        self._pages = PageLinks()
        self._over_beta: set[tuple[str, str]] = set()

    @property
    def expects(self) -> bool:
        """Whether what comes next may be a repeat somebody has to judge."""
        return bool(self._repeats)

    def asked(self, number: int, request: Request, *, now: float) -> tuple[Verdict, ...]:
        """See a request arrive, its body whole and decoded."""
        if is_preflight(request):
            return ()
        calls = Call.all_of(number, request, self._clean)
        return tuple(verdict for call in calls for verdict in self._seen(call, now))

    def of_each(self, request: Request) -> tuple[Kind, ...] | None:
        """Return what every read like this one earns while nothing is `expected`.

        Returns:
            None where it depends on what came before.
        """
        call = Call(number=0, request=request, clean=self._clean)
        if "token" in request.url.lower() or is_preflight(request):
            return None
        if call.version == "beta":
            method = request.method.upper()
            template = released(method, request.url)
            if template is not None and (method, template) not in self._over_beta:
                return None
        return tuple(self._kinds_of_token(call))

    def answered(
        self, number: int, request: Request, response: Response, *, now: float
    ) -> tuple[Verdict, ...]:
        """See an answer go out whole, its body decoded; where it isn't at hand, empty."""
        whole, *parts = Call.all_of(number, request, self._clean)
        answers = answers_of(response) if parts else {}
        for call, answer in ((whole, response), *((p, answers.get(p.id)) for p in parts)):
            if answer is not None:
                self._pages.give(call, answer)
                self._repeats.answered(call, answer, now=now)
        return ()

    def broke(self, number: int, request: Request) -> tuple[Verdict, ...]:
        """See a request end without a whole answer, whoever broke it off."""
        self._repeats.broke(Call(number=number, request=request, clean=self._clean))
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

    def _of_token(self, call: Call) -> Iterator[Verdict]:
        if not self._bearing:
            yield from _without_token(call)
        text = _lacking(call)
        if text is not None:
            yield call.verdict(Kind.LACKS_PERMISSION, f"({call.what}) {text}")

    def _kinds_of_token(self, call: Call) -> Iterator[Kind]:
        """Say what `_of_token` would, but for the text."""
        if not self._bearing and _lacks_token(call):
            yield Kind.NO_TOKEN
        if _lacking(call) is not None:
            yield Kind.LACKS_PERMISSION

    def _made_up(self, call: Call) -> Iterator[Verdict]:
        name = self._pages.made_up(call)
        if name is not None:
            text = f"({call.what}) has a {name} in a URL that no answer of this session gave"
            yield call.verdict(Kind.MADE_UP_SKIPTOKEN, text)

    def _beta(self, call: Call) -> Iterator[Verdict]:
        """Name each operation once: a client calls it over and over."""
        method, url = call.request.method.upper(), call.request.url
        template = released(method, url) if call.version == "beta" else None
        if template is None or (method, template) in self._over_beta:
            return
        if off_graph_origin(url) is not None:
            return
        self._over_beta.add((method, template))
        text = f"called {method} {template} over /beta, which v1.0 has too"
        yield call.verdict(Kind.V1_OVER_BETA, text)


def _without_token(call: Call) -> Iterator[Verdict]:
    """Look for a token where Graph asks for one; a batch carries it for its parts."""
    if _lacks_token(call):
        value = call.request.headers.get("Authorization")
        text = (
            "without Authorization" if value is None else "with an Authorization that is no token"
        )
        yield call.verdict(Kind.NO_TOKEN, f"({call.what}) was sent {text}")


def _lacks_token(call: Call) -> bool:
    """Tell whether a call goes without a token where Graph asks for one.

    It asks for none to describe itself (`$metadata`, the service document). What isn't below a
    version is sign-in, and URLs off Graph are pre-authenticated.
    """
    url = call.request.url
    value = call.request.headers.get("Authorization")
    scheme, _, token = (value or "").strip().partition(" ")
    if call.part is not None or (scheme.lower() in _SCHEMES and token.strip()):
        return False
    if call.version not in _VERSIONS or call.path in {(), ("$metadata",)}:
        return False
    return not is_sign_in(url) and off_graph_origin(url) is None


def _disconnect_with_body(call: Call) -> Iterator[Verdict]:
    request = call.request
    if request.body and request.method.upper() == "POST" and call.path == _DISCONNECT:
        size = f"{len(request.body)} byte" + ("s" if len(request.body) > 1 else "")
        text = f"sent disconnect with a body of {size}; Graph documents none"
        yield call.verdict(Kind.DISCONNECT_WITH_BODY, text)


def _lacking(call: Call) -> str | None:
    """Say which permission a call's token lacks; None where none is known to be."""
    if _JUDGED not in call.request.url.lower():
        return None
    from graphtape.core.signin import lacking  # noqa: PLC0415 - few calls need it

    return lacking(call.request, carrier=call.carrier)
