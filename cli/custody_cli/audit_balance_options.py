"""Which blocks an auditor asks about: by height, by hash, or by a date."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from custody.ports import ChainBackend
from custody.workflow.balance_blocks import height_at_time, height_of_block

MAX_BLOCKS = 1_000
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FORMS = (
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII), "%Y-%m-%d", 86_399),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}Z", re.ASCII), "%Y-%m-%dT%H:%MZ", 0),
)
"""How a date may be written, and which of its seconds is meant."""


class BlockHash(click.ParamType[str]):
    """64 hex digits, as a block explorer shows them."""

    name = "hash"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the hash in lower case."""
        text = value.lower()
        if _HASH.fullmatch(text) is None:
            self.fail("64 hex digits are expected", param, ctx)
        return text


class Moment(click.ParamType[int]):
    """A day (its last second) or a minute, in UTC."""

    name = "date"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return Unix seconds."""
        if isinstance(value, int):
            return value
        for shape, form, seconds in _FORMS:
            try:
                if shape.fullmatch(value):
                    return int(datetime.strptime(value, form).replace(tzinfo=UTC).timestamp()) + seconds
            except ValueError:
                break
        raise click.BadParameter("write 2026-12-31 (its last second) or 2026-12-31T12:00Z, in UTC", ctx, param)


@dataclass(frozen=True, slots=True)
class BlockChoice:
    """The blocks that are asked about, in the order height, hash, date."""

    heights: tuple[int, ...]
    hashes: tuple[str, ...]
    moments: tuple[int, ...]
    """Unix seconds."""

    def __post_init__(self) -> None:
        if self.count > MAX_BLOCKS:
            raise click.UsageError(f"at most {MAX_BLOCKS} blocks in one call")

    @property
    def count(self) -> int:
        """How many were named."""
        return len(self.heights) + len(self.hashes) + len(self.moments)

    def on(self, backend: ChainBackend) -> tuple[int, ...]:
        """Return their heights on the chain that is asked; its newest block where none was named.

        Raises:
            ChainUnavailable: BLOCK_UNKNOWN, SYNC_INCOMPLETE.
        """
        return tuple(self._found(backend)) if self.count else (backend.tip().height,)

    def _found(self, backend: ChainBackend) -> Iterator[int]:
        yield from self.heights
        for block_hash in self.hashes:
            yield height_of_block(backend, block_hash)
        for moment in self.moments:
            yield height_at_time(backend, moment)
