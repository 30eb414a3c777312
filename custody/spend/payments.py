"""A list of payments as CSV: `address,amount,reason`, one payment a line.

RFC 4180 in UTF-8, with or without a byte order mark. The header is demanded, so that a
column is never taken for another; `label` is the same column as `reason`, which may be
absent. Amounts carry their unit as everywhere. One address twice is refused: a repeated
line is far more often a mistake than a wish. The secret gate is the caller's.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from custody.bitcoin.address import script_of
from custody.bitcoin.amount import Sats, parse_amount
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput, JsonValue, SecretRefused

MAX_PAYMENTS = 5_000
"""More outputs fit into no transaction that nodes relay."""

_HEADERS = (("address", "amount"), ("address", "amount", "reason"), ("address", "amount", "label"))


@dataclass(frozen=True, slots=True)
class Payment:
    """One line of the list."""

    address: str
    value: Sats
    reason: str | None
    line: int
    """Where it stands in the file, from 1."""


@dataclass(frozen=True, slots=True)
class _Problem:
    line: int
    message: str


def parse_payments(data: bytes, network: Network) -> tuple[Payment, ...]:
    """Read a payments file.

    Raises:
        InvalidInput: PAYMENTS_MALFORMED with every problem and its line in the details.
        SecretRefused: an address is a private key.
    """
    rows = _rows(data)
    header = next(rows, None)
    if header is None or tuple(cell.strip().lower() for cell in header[1]) not in _HEADERS:
        raise _refused([_Problem(1, "the header is not `address,amount` or `address,amount,reason`")])
    columns = len(header[1])
    read = [_payment(line, cells, columns, network) for line, cells in rows if any(cell.strip() for cell in cells)]
    payments = [one for one in read if isinstance(one, Payment)]
    problems = [one for one in read if isinstance(one, _Problem)] + _repeated(payments, network)
    if not read:
        problems.append(_Problem(1, "there is no payment below the header"))
    if len(read) > MAX_PAYMENTS:
        problems.append(_Problem(1, f"there are {len(read)} payments, at most {MAX_PAYMENTS} are read"))
    if problems:
        raise _refused(sorted(problems, key=lambda problem: problem.line))
    return tuple(payments)


def _rows(data: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise _refused([_Problem(1, "the file is not UTF-8")]) from cause
    if "\0" in text:
        raise _refused([_Problem(1, "the file holds a zero byte")])
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as cause:
        raise _refused([_Problem(line, "not CSV: a quote is open or out of place")]) from cause


def _payment(line: int, cells: list[str], columns: int, network: Network) -> Payment | _Problem:
    if len(cells) != columns:
        return _Problem(line, f"{len(cells)} cells, the header has {columns}")
    address, amount = cells[0].strip(), cells[1].strip()
    try:
        script_of(address, network)
        value = parse_amount(amount)
    except SecretRefused:
        raise
    except CustodyError as error:
        return _Problem(line, error.message)
    if value == 0:
        return _Problem(line, "the amount is 0")
    reason = cells[2].strip() if columns > 2 else ""
    return Payment(address, value, reason or None, line)


def _repeated(payments: list[Payment], network: Network) -> list[_Problem]:
    first: dict[bytes, int] = {}
    problems = []
    for payment in payments:
        script = script_of(payment.address, network)
        if script in first:
            problems.append(_Problem(payment.line, f"the same address as on line {first[script]}"))
        first.setdefault(script, payment.line)
    return problems


def _refused(problems: list[_Problem]) -> InvalidInput:
    listed: list[JsonValue] = [{"line": problem.line, "message": problem.message} for problem in problems]
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return InvalidInput(
        Code.PAYMENTS_MALFORMED,
        f"line {first.line} of the payments: {first.message}{more}",
        advice="Mend the file: `address,amount,reason` with amounts such as `1.5btc` or `150000000sat`.",
        details={"problems": listed},
    )
