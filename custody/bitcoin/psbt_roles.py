"""Combiner, Finalizer and Extractor of BIP 174 for segwit v0 multisig."""

from collections.abc import Sequence

from custody.bitcoin.psbt import Psbt
from custody.bitcoin.signatures import InputSignatures, SpendScript, verify_input_signatures
from custody.bitcoin.transaction import Transaction
from custody.errors import Finding


def take_signatures(
    master: Psbt, returned: Psbt | Transaction, scripts: Sequence[SpendScript]
) -> tuple[Psbt, tuple[Finding, ...]]:
    """Return `master` with the verified signatures of `returned`, and notes on what was ignored.

    Raises:
        CheckFailed: DIFFERENT_TRANSACTION, COMBINE_NON_SIGNATURE_CHANGE, or the code of an invalid signature.
        NotYet: NO_SIGNATURES.
    """
    raise NotImplementedError


def finalize(psbt: Psbt, scripts: Sequence[SpendScript]) -> Psbt:
    """Return `psbt` with every input finalized, each signature verified first.

    Raises:
        NotYet: SIGNATURES_MISSING. CheckFailed: a signature or field that is wrong.
    """
    raise NotImplementedError


def extract(psbt: Psbt) -> Transaction:
    """Return the final transaction of a finalized PSBT.

    Raises:
        NotYet: SIGNATURES_MISSING when an input is not final.
    """
    raise NotImplementedError


__all__ = ["InputSignatures", "SpendScript", "extract", "finalize", "take_signatures", "verify_input_signatures"]
