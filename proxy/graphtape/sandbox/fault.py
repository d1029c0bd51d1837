"""What the simulated tenant refuses, in Graph's words (Microsoft Graph error responses)."""

from __future__ import annotations

SANDBOX_CODE = "GraphtapeSandbox"
"""Code of the errors that are the sandbox's own: Graph itself would have answered otherwise."""


class GraphFault(Exception):  # noqa: N818 (a fault is what the protocol calls it)
    """A request the tenant answers with an error.

    Attributes:
        status: 4xx or 5xx.
        code: For `error.code`.
        message: For `error.message`.
        fields: Header fields that belong to this error, such as Allow.
        intune_path: The path below the version that Intune's front end was asked, where the
            message is to be written in Intune's flavour; None where it is plain.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        fields: tuple[tuple[str, str], ...] = (),
        intune_path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.intune_path = intune_path


def bad_request(message: str) -> GraphFault:
    """Refuse a request that is malformed, in the gateway's plain flavour."""
    return GraphFault(400, "BadRequest", message)


def unknown_segment(segment: str) -> GraphFault:
    """Refuse a path that names nothing of this tenant."""
    return bad_request(f"Resource not found for the segment '{segment}'.")


def unknown_property(name: str, type_name: str) -> GraphFault:
    """Refuse a property the type doesn't have, in OData's words."""
    return bad_request(f"Could not find a property named '{name}' on type '{type_name}'.")


def method_not_allowed(allowed: tuple[str, ...]) -> GraphFault:
    """Refuse a method, with the Allow field that RFC 9110 section 15.5.6 demands."""
    return GraphFault(
        405,
        "Request_BadRequest",
        "Specified HTTP method is not allowed for the request target.",
        fields=(("Allow", ", ".join(allowed)),),
    )


def not_simulated(what: str) -> GraphFault:
    """Say that Graph can do this and the sandbox can't, rather than answer something false."""
    return GraphFault(501, SANDBOX_CODE, f"The sandbox does not simulate {what}.")
