"""The authorization endpoint: who visits it has signed in already, and is sent back with a code."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from graphtape.core.signin import issue
from graphtape.core.signin.fault import Fault, missing
from graphtape.core.signin.reply import HTML, reply
from graphtape.core.signin.terms import guid_of
from graphtape.core.signin.token import sealed

if TYPE_CHECKING:
    from graphtape.core.message import Response
    from graphtape.core.signin.ask import Ask

_ADDRESS = re.compile(r"(?!(?:javascript|data|vbscript|file|blob|about):)[a-z][a-z0-9+.-]*:[!-~]+")
_TYPES = frozenset({"code", "id_token"})


def authorize(ask: Ask) -> Response:
    """Send the user back to the app (RFC 6749 section 4.1.2)."""
    fault = _refused(ask)
    if fault is not None:
        return fault.answer(ask.request, now=ask.now)
    back, given = ask.fields["redirect_uri"], _given(ask)
    types = ask.fields["response_type"].split()
    match ask.fields.get("response_mode") or ("query" if types == ["code"] else "fragment"):
        case "form_post":
            return reply(ask.request, _form(back, given).encode(), media=HTML)
        case "fragment":
            return _sent(ask, f"{back.partition('#')[0]}#{urlencode(given)}")
        case _:
            address = back.partition("#")[0]
            return _sent(ask, f"{address}{'&' if '?' in address else '?'}{urlencode(given)}")


def logout(ask: Ask) -> Response:
    """Sign out: there is nothing to forget."""
    back = ask.fields.get("post_logout_redirect_uri", "")
    if _ADDRESS.fullmatch(back):
        state = ask.fields.get("state")
        mark = "&" if "?" in back else "?"
        return _sent(ask, f"{back}{mark}{urlencode({'state': state})}" if state else back)
    return page(ask, "Signed out of Graphtape's fake tenant.")


def page(ask: Ask, text: str) -> Response:
    """Answer a person in a browser."""
    body = f"<!doctype html><title>Graphtape</title><p>{escape(text)}</p>\n"
    return reply(ask.request, body.encode(), media=HTML)


def _refused(ask: Ask) -> Fault | None:
    for name in ("client_id", "response_type", "redirect_uri"):
        if name not in ask.fields:
            return missing(name)
    if not _TYPES.issuperset(ask.fields["response_type"].split()):
        return Fault(
            error="unsupported_response_type",
            code=70005,
            message="The app asked for a response type that Graphtape doesn't issue; it issues "
            "code and id_token.",
        )
    if _ADDRESS.fullmatch(ask.fields["redirect_uri"].lower()) is None:
        return Fault(
            error="invalid_request",
            code=50011,
            message="The redirect URI specified in the request is no absolute URI.",
        )
    return None


def _given(ask: Ask) -> dict[str, str]:
    fields = ask.fields
    user = fields.get("login_hint") or ask.terms.user
    nonce, types = fields.get("nonce", ""), fields["response_type"].split()
    given: dict[str, str] = {}
    if "code" in types:
        given["code"] = sealed(
            "code",
            {
                "scope": fields.get("scope", ""),
                "resource": fields.get("resource", ""),
                "nonce": nonce,
                "challenge": fields.get("code_challenge", ""),
                "user": user,
            },
        )
    if "id_token" in types:
        given["id_token"] = issue.id_token(ask, user=user, nonce=nonce)
    if fields.get("client_info"):
        given["client_info"] = issue.client_info(ask, user)
    if "state" in fields:
        given["state"] = fields["state"]
    return given | {"session_state": guid_of("session")}


def _sent(ask: Ask, address: str) -> Response:
    return reply(ask.request, status=302, location=address)


def _form(address: str, given: dict[str, str]) -> str:
    """Write a page that posts itself (OAuth 2.0 Form Post Response Mode)."""
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}"/>'
        for name, value in given.items()
    )
    return (
        "<!doctype html><title>Graphtape</title>"
        f'<form method="POST" action="{escape(address)}">{inputs}'
        '<noscript><input type="submit" value="Continue"/></noscript></form>'
        "<script>document.forms[0].submit();</script>\n"
    )
