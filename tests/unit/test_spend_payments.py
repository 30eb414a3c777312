"""Payments from CSV: header demanded, units demanded, every problem with its line."""

import pytest

from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import InvalidInput
from custody.spend.payments import Payment, parse_payments
from support.ledger import OUTSIDE
from support.vaults import make_vault

SECOND = make_vault().first_address


def read(text: str) -> tuple[Payment, ...]:
    return parse_payments(text.encode(), Network.REGTEST)


def problems(text: str | bytes) -> list[tuple[int, str]]:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(InvalidInput) as caught:
        parse_payments(data, Network.REGTEST)
    assert caught.value.code is Code.PAYMENTS_MALFORMED
    rows = caught.value.details["problems"]
    assert isinstance(rows, list)
    return [(row["line"], row["message"]) for row in rows]  # type: ignore[index,call-overload,misc]


def test_reads_amounts_reasons_quotes_and_lines() -> None:
    text = (
        f'\ufeffAddress,Amount,Reason\r\n{OUTSIDE},1.5btc,"rent, ""March""\nsecond line"\r\n\r\n{SECOND}, 2000sat ,\r\n'
    )
    assert read(text) == (
        Payment(OUTSIDE, 150_000_000, 'rent, "March"\nsecond line', 2),  # type: ignore[arg-type]
        Payment(SECOND, 2_000, None, 5),  # type: ignore[arg-type]
    )
    assert read(f"address,amount\n{OUTSIDE},1sat")[0].reason is None
    assert read(f"address,amount,label\n{OUTSIDE},1sat,x")[0].reason == "x"


def test_collects_every_problem_with_its_line() -> None:
    found = problems(
        f"address,amount\n{OUTSIDE},1.5\n{OUTSIDE}x,1sat\n{SECOND},1sat,extra\n{SECOND},0sat\n{OUTSIDE},1sat\n{OUTSIDE.upper()},2sat"
    )
    assert [line for line, _message in found] == [2, 3, 4, 5, 7]
    assert "line 6" in found[-1][1]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"address,amount\n",
        b"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080,1sat\n",
        b"amount,address\n1sat,bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080\n",
        b"address;amount\n",
        b"address,amount\n\xff\xfe,1sat\n",
        b'address,amount\n"bcrt1,1sat\n',
        b"address,amount\nbcrt1\x00,1sat\n",
        b"address,amount\nbc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4,1sat\n",
    ],
)
def test_refuses_what_is_no_list_of_payments(data: bytes) -> None:
    assert problems(data)
