"""A payment compared with earlier ones that spend the same coins (A47, A119).

Two transactions that share a coin exclude each other: the later one replaces the earlier.
It may raise the fee from change or from further coins; it may not pay others, pay less, or
drop a payee. A transaction with exactly one output, to ourselves, is a cancellation.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Finding
from custody.spend.review_findings import TX, note, refuse, warn

Payments = Counter[tuple[bytes, int]]
"""Outputs that are not ours: script and value, counted."""


@dataclass(frozen=True, slots=True)
class Spend:
    """What one transaction spends and whom it pays, ownership judged by derivation."""

    txid: str
    """Of the unsigned transaction, as displayed."""
    outpoints: frozenset[OutPoint]
    payments: Payments
    output_count: int

    @classmethod
    def of(cls, psbt: Psbt, own_scripts: frozenset[bytes] | set[bytes]) -> "Spend":
        """Describe `psbt`, in which the scripts in `own_scripts` are ours."""
        payments = Counter(
            (output.script_pubkey, int(output.value))
            for output in psbt.outputs
            if output.script_pubkey not in own_scripts
        )
        outpoints = frozenset(psbt_input.outpoint for psbt_input in psbt.inputs)
        return cls(psbt.unsigned_txid, outpoints, payments, len(psbt.outputs))

    @property
    def is_cancellation(self) -> bool:
        """Whether it has exactly one output, to ourselves."""
        return self.output_count == 1 and not self.payments


def replacement_findings(spend: Spend, earlier: Sequence[Spend], replaces: frozenset[str]) -> tuple[Finding, ...]:
    """Judge `spend` against each earlier one that it conflicts with."""
    findings: list[Finding] = []
    for old in earlier:
        if old.txid == spend.txid or old.outpoints.isdisjoint(spend.outpoints):
            continue
        if not spend.is_cancellation and old.payments != spend.payments:
            findings.append(
                refuse(
                    Code.REPLACEMENT_CHANGES_PAYEE,
                    TX,
                    f"it spends coins of transaction `{old.txid}`, which it would replace, and pays differently",
                )
            )
        elif old.txid in replaces:
            message = f"it replaces transaction `{old.txid}`; only one of the two can confirm"
            findings.append(note(Code.ALREADY_SIGNED_SAME_OUTPOINTS, TX, message, "Nothing to do: this was asked for."))
        else:
            message = f"it spends coins of transaction `{old.txid}`; only one of the two can confirm"
            advice = "Ask why a second transaction is needed before you sign another one."
            findings.append(warn(Code.ALREADY_SIGNED_SAME_OUTPOINTS, TX, message, advice))
    return tuple(findings)
