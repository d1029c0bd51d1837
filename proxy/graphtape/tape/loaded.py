"""A cassette in memory: what it holds, how that is found, and what the cassette says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from graphtape.core.tape.recording import Recording

if TYPE_CHECKING:
    from graphtape.core.matching.key import MatchOptions
    from graphtape.core.redaction import Redactor
    from graphtape.core.report.report import CassetteFacts
    from graphtape.tape.vcr_format import Cassette, Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A cassette, ready to be played by any number of sessions.

    Attributes:
        recording: Shared by them.
        metadata: None where Graphtape didn't write it.
        edited: It differs from what its metadata says: changed by hand or tool.
    """

    recording: Recording
    metadata: Metadata | None
    edited: bool

    @classmethod
    def of(
        cls, cassette: Cassette, *, name: str, redactor: Redactor, options: MatchOptions
    ) -> Self:
        """Index a cassette.

        Args:
            cassette: As it was read.
            name: What messages call it.
            redactor: With its salt.
            options: What takes part in matching.
        """
        metadata = cassette.metadata
        recording = Recording.of(
            cassette.interactions,
            name=name,
            upstream=metadata.upstream if metadata is not None else None,
            redactor=redactor,
            options=options,
            alike=metadata.alike if metadata is not None else (),
        )
        return cls(recording=recording, metadata=metadata, edited=cassette.edited)

    @property
    def facts(self) -> CassetteFacts:
        """What a report says of it."""
        from graphtape.core.report.report import CassetteFacts  # noqa: PLC0415 - once it is over

        metadata = self.metadata
        return CassetteFacts(
            name=self.recording.name,
            interactions=len(self.recording.interactions),
            recorded_at=(metadata.recorded_at or None) if metadata is not None else None,
            upstream=metadata.upstream if metadata is not None else None,
            edited=self.edited,
        )
