"""The offline authority: sign-in answered as Entra ID does, with tokens that are clearly fake."""

from typing import TYPE_CHECKING

from graphtape.core.lazily import lazily

if TYPE_CHECKING:
    from graphtape.core.signin.authority import sign_in
    from graphtape.core.signin.destination import (
        AnswerHere,
        AskAuthority,
        Course,
        NotSignIn,
        at_authority,
        course,
        led_here,
    )
    from graphtape.core.signin.environment import credentials
    from graphtape.core.signin.permission import lacking
    from graphtape.core.signin.place import is_sign_in_place
    from graphtape.core.signin.terms import TERMS, Terms
    from graphtape.core.signin.token import expiry_of

__all__ = [
    "TERMS",
    "AnswerHere",
    "AskAuthority",
    "Course",
    "NotSignIn",
    "Terms",
    "at_authority",
    "course",
    "credentials",
    "expiry_of",
    "is_sign_in_place",
    "lacking",
    "led_here",
    "sign_in",
]

if not TYPE_CHECKING:  # a mistyped name stays an error
    __getattr__ = lazily(
        __name__,
        {
            "authority": "sign_in",
            "destination": "AnswerHere AskAuthority Course NotSignIn at_authority course led_here",
            "environment": "credentials",
            "permission": "lacking",
            "place": "is_sign_in_place",
            "terms": "TERMS Terms",
            "token": "expiry_of",
        },
    )
