"""The offline authority: sign-in answered as Entra ID does, with tokens that are clearly fake."""

from graphtape.core.signin.authority import sign_in
from graphtape.core.signin.course import (
    AnswerHere,
    AskAuthority,
    Course,
    NotSignIn,
    at_authority,
    course,
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
    "sign_in",
]
