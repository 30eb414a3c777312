"""The options of a review: what the reviewer knows, and the limits of the design, each of them one option."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from custody.bitcoin.address import script_of
from custody.bitcoin.amount import FeeRate, Sats
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt, psbt_from_text_or_bytes
from custody.bitcoin.psbt_reader import MAX_BYTES
from custody.codes import Code
from custody.errors import UsageError
from custody.spend.review_model import ReviewContext, ReviewLimits
from custody_cli.options import read_input

MAX_PSBT_FILE = MAX_BYTES * 4 // 3 + 100
"""A PSBT at the limit of its size, written in base64."""
MAX_SIGNERS_FILE = 64_000_000
"""A bundle at the limit of its size (`custody.audit.bundle.MAX_BYTES`), or a PSBT."""
_MAX_ADDRESS_LIST = 1_000_000
_TXID_LENGTH = 64
_Function = TypeVar("_Function", bound=Callable[..., object])
_DEFAULTS = ReviewLimits()
_COUNT = click.IntRange(min=0)
_PERCENT = click.IntRange(min=0, max=100)

_OPTIONS = (
    click.option("--expect-txid", metavar="HEX", help="Refuse any transaction but the approved unsigned txid."),
    click.option("--last-used-index", type=_COUNT, metavar="N", help="Highest index of the vault in use."),
    click.option(
        "--known-addresses", metavar="FILE", help="Addresses of known payees, one a line, to find look-alikes of."
    ),
    click.option(
        "--earlier",
        multiple=True,
        metavar="FILE",
        help="A PSBT or bundle signed before; repeat. Finds diverted payments.",
    ),
    click.option("--max-fee-sats", type=_COUNT, metavar="N", help="Lift the fee limits in percent and BTC to N sat."),
    click.option("--max-fee-rate", metavar="N", help="Refuse above N sat/vB.  [default: 1000]"),
    click.option("--min-fee-rate", metavar="N", help="Refuse below N sat/vB.  [default: 0.1]"),
    click.option(
        "--max-fee-percent",
        type=_PERCENT,
        metavar="N",
        default=_DEFAULTS.refuse_fee_percent,
        show_default=True,
        help="Refuse a fee above N percent of the inputs.",
    ),
    click.option(
        "--warn-fee-percent",
        type=_PERCENT,
        metavar="N",
        default=_DEFAULTS.warn_fee_percent,
        show_default=True,
        help="Warn of a fee above N percent of the inputs.",
    ),
    click.option(
        "--max-fee-limit",
        type=_COUNT,
        metavar="N",
        default=int(_DEFAULTS.max_fee),
        show_default=True,
        help="Refuse a fee above N sat.",
    ),
    click.option("--tip-height", type=_COUNT, metavar="N", help="Warn of a locktime above this block."),
    click.option(
        "--change-gap",
        type=_COUNT,
        metavar="N",
        default=_DEFAULTS.change_gap,
        show_default=True,
        help="Warn of own outputs more than N above the last used index.",
    ),
    click.option(
        "--change-limit",
        type=_COUNT,
        metavar="N",
        default=_DEFAULTS.change_limit,
        show_default=True,
        help="Refuse own outputs more than N above the last used index.",
    ),
    click.option(
        "--search-depth",
        type=_COUNT,
        metavar="N",
        default=_DEFAULTS.search_depth,
        show_default=True,
        help="Look for outputs without metadata up to N above it, on each branch.",
    ),
    click.option(
        "--dust-input",
        type=_COUNT,
        metavar="N",
        default=int(_DEFAULTS.dust_input),
        show_default=True,
        help="Warn of inputs below N sat.",
    ),
)


class Terms:
    """What the options of a review said, before files among them are read."""

    __slots__ = ("_values",)

    def __init__(self, values: "dict[str, int | str | tuple[str, ...] | None]") -> None:
        self._values = values

    def context(self, network: Network) -> ReviewContext:
        """Return the context of a review for a vault on `network`; reads the files that options name.

        Raises:
            UsageError: a txid that is none.
            InvalidInput: a file that an option names is not what it should be.
        """
        return ReviewContext(
            limits=self._limits(),
            last_used_index=self._number("last_used_index"),
            expected_txid=self._expected_txid(),
            known_addresses=self._known_addresses(network),
            earlier=tuple(_read_earlier(place) for place in self._texts("earlier")),
        )

    def _limits(self) -> ReviewLimits:
        maximum = self._number("max_fee_sats")
        return ReviewLimits(
            change_gap=self._required("change_gap"),
            change_limit=self._required("change_limit"),
            search_depth=self._required("search_depth"),
            refuse_fee_percent=self._required("max_fee_percent"),
            warn_fee_percent=self._required("warn_fee_percent"),
            max_fee=Sats(self._required("max_fee_limit")),
            max_fee_rate=self._rate("max_fee_rate", _DEFAULTS.max_fee_rate),
            min_fee_rate=self._rate("min_fee_rate", _DEFAULTS.min_fee_rate),
            lifted_max_fee=None if maximum is None else Sats(maximum),
            dust_input=Sats(self._required("dust_input")),
            tip_height=_given(self._number("tip_height"), _DEFAULTS.tip_height),
        )

    def _expected_txid(self) -> str | None:
        given = self._text("expect_txid")
        if given is None:
            return None
        txid = given.lower()
        if len(txid) != _TXID_LENGTH or not set(txid) <= set("0123456789abcdef"):
            raise UsageError(
                Code.USAGE, "--expect-txid is not 64 hex digits", advice="Give the approved unsigned txid."
            )
        return txid

    def _known_addresses(self, network: Network) -> tuple[str, ...]:
        place = self._text("known_addresses")
        if place is None:
            return ()
        text = read_input(place, max_bytes=_MAX_ADDRESS_LIST).decode("ascii", errors="replace")
        addresses = tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
        for address in addresses:
            script_of(address, network)
        return addresses

    def _rate(self, name: str, default: FeeRate) -> FeeRate:
        given = self._text(name)
        return default if given is None else FeeRate.from_sat_vb(given)

    def _required(self, name: str) -> int:
        return _given(self._number(name), 0)

    def _number(self, name: str) -> int | None:
        value = self._values[name]
        return value if isinstance(value, int) else None

    def _text(self, name: str) -> str | None:
        value = self._values[name]
        return value if isinstance(value, str) else None

    def _texts(self, name: str) -> Sequence[str]:
        value = self._values[name]
        return value if isinstance(value, tuple) else ()


def review_options(function: _Function) -> _Function:
    """Give a command all options of a review; it takes them as keyword arguments for `Terms`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def read_psbt(place: str) -> Psbt:
    """Read a PSBT file once, in binary or base64, `-` for stdin."""
    return psbt_from_text_or_bytes(read_input(place, max_bytes=MAX_PSBT_FILE))


def is_bundle(data: bytes) -> bool:
    """Tell a bundle from a PSBT by how it begins."""
    return data[:1] == b"{"


def _read_earlier(place: str) -> Psbt:
    """Read what was signed before: a PSBT, or the one in a bundle."""
    data = read_input(place, max_bytes=MAX_SIGNERS_FILE)
    if not is_bundle(data):
        return psbt_from_text_or_bytes(data)
    from custody.audit.bundle import Bundle  # only who has bundles pays for it

    return Bundle.from_bytes(data).psbt


def _given(value: int | None, default: int) -> int:
    return default if value is None else value
