"""What an entry claims without a signature, held against the vault, or named where nothing else stands behind it."""

from collections.abc import Iterator

from custody.audit.journal import Entry
from custody.audit.state_builder import StateBuilder
from custody.bitcoin.descriptor import Branch
from custody.codes import Code
from custody.errors import Severity
from custody.vault.vault import Vault

Claim = tuple[Severity, Code, str]
"""How grave, a code, and what is to be said in words."""

_ISSUED, _ACCEPTED = "address_issued", "coins_accepted"


def claims_of(builder: StateBuilder, vault: Vault, entry: Entry) -> Iterator[Claim]:
    """Yield what is to be said of an entry that stands; `builder` is the state right after it."""
    if entry.kind == _ISSUED:
        yield from _of_address(builder, vault, entry)
    elif entry.kind == _ACCEPTED:
        yield from _of_acceptance(builder, entry)


def _of_address(builder: StateBuilder, vault: Vault, entry: Entry) -> Iterator[Claim]:
    index = entry.body["index"]
    issued = builder.issued.get(index) if isinstance(index, int) else None
    if issued is not None and vault.address_at(Branch.RECEIVE, issued.index) != issued.address:
        words = (
            f"it hands out `{issued.address}` as receive address {issued.index}, and the vault has another one there"
        )
        yield Severity.REFUSE, Code.ENTRY_CONTRADICTED, words


def _of_acceptance(builder: StateBuilder, entry: Entry) -> Iterator[Claim]:
    txids = entry.body["txids"]
    for txid in txids if isinstance(txids, list) else []:
        seen = builder.transactions.get(str(txid))
        if seen is not None and seen.is_outflow:
            left = sum(one.value for one in seen.inputs) - sum(
                one.value for one in seen.outputs if one.place is not None
            )
            yield _on_word(f"{left} sat left the vault in {txid}")
    if entry.body["prior_history"] is not None and builder.prior_history is not None:
        prior = builder.prior_history
        yield _on_word(
            f"{prior.sum} sat left in {prior.count} transactions before the first complete look at the chain"
        )


def _on_word(what: str) -> Claim:
    return (
        Severity.WARN,
        Code.OUTFLOW_ON_WORD,
        f"{what}: this entry alone explains it, and no signature stands behind it",
    )
