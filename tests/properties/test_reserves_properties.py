"""A statement of reserves that was changed anywhere is never called valid, and nothing in it adds to the sum."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from custody.audit.reserves.statement import Proof, Statement, parse_statement
from custody.audit.reserves.verify import Reserve as Result
from custody.audit.reserves.verify import verify_statements
from custody.documents.canonical_json import canonical
from custody.errors import CustodyError
from support.reserves import CHALLENGE, Reserve

RESERVE = Reserve()
PAYMENT = RESERVE.payment(CHALLENGE)
VIEW = RESERVE.view(PAYMENT)
STATEMENTS = {
    "messages": RESERVE.statement(),
    "bip127": RESERVE.statement(proofs=[RESERVE.bip127_proof(CHALLENGE)]),
    "payment": RESERVE.statement(proofs=[RESERVE.payment_proof(PAYMENT)]),
}
Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the place of every text and number."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    elif value is not None:
        yield path


def lists(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the place of every item of a list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from lists(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield (*path, place)
            yield from lists(inner, (*path, place))


def within(document: Any, path: Path) -> tuple[Any, str | int]:
    """Return what holds the last step of a path, and that step."""
    for step in path[:-1]:
        document = document[step]
    return document, path[-1]


def judged(document: Any) -> Result | None:
    """Return the verdict on a document, None where it isn't even read."""
    try:
        statement = parse_statement(canonical(document) + b"\n")
        verdict = verify_statements([statement], [CHALLENGE], VIEW)
    except CustodyError:
        return None
    assert verdict.total <= RESERVE.total
    return verdict.result


def as_document(statement: Statement) -> Any:
    return copy.deepcopy(statement.to_document())


def test_unchanged_all_three_are_valid() -> None:
    assert {name: judged(as_document(one)) for name, one in STATEMENTS.items()} == dict.fromkeys(
        STATEMENTS, Result.VALID
    )


@settings(max_examples=150)
@given(st.sampled_from(sorted(STATEMENTS)), st.data())
def test_a_changed_text_or_number_is_never_valid(name: str, data: st.DataObject) -> None:
    document = as_document(STATEMENTS[name])
    holder, step = within(document, data.draw(st.sampled_from(list(leaves(document)))))
    before = holder[step]
    if isinstance(before, int):
        holder[step] = before + data.draw(st.integers(min_value=-5, max_value=5).filter(bool))
    else:
        at = data.draw(st.integers(min_value=0, max_value=len(before) - 1))
        letter = data.draw(st.sampled_from("0123456789abcdefxyz+/=A Z"))
        holder[step] = before[:at] + letter + before[at + 1 :]
    assert holder[step] == before or judged(document) is not Result.VALID


@settings(max_examples=60)
@given(st.sampled_from(sorted(STATEMENTS)), st.data(), st.sampled_from(["gone", "twice"]))
def test_an_item_left_out_or_given_twice_is_never_valid_unless_it_says_nothing(
    name: str, data: st.DataObject, how: str
) -> None:
    document = as_document(STATEMENTS[name])
    path = data.draw(st.sampled_from(list(lists(document))))
    items, place = within(document, path)
    if how == "gone":
        del items[place]
    else:
        items.insert(place, copy.deepcopy(items[place]))
    # A proof that stands twice, or that names the same or fewer addresses than it proves, claims nothing more.
    harmless = path[0] == "proofs" and (how == "twice" or len(path) > 2)
    verdict = judged(document)
    assert verdict is not Result.VALID or harmless


@given(st.sampled_from(sorted(STATEMENTS)), st.text(max_size=60), st.integers(min_value=0, max_value=2))
@settings(max_examples=60)
def test_junk_for_a_proof_is_an_answer_and_never_valid(name: str, junk: str, place: int) -> None:
    statement = STATEMENTS[name]
    at = place % len(statement.proofs)
    proofs = [Proof(one.kind, one.addresses, junk) if n == at else one for n, one in enumerate(statement.proofs)]
    verdict = verify_statements([RESERVE.statement(proofs=proofs)], [CHALLENGE], VIEW)
    assert verdict.result is not Result.VALID
