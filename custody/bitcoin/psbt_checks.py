"""Whether a PSBT contradicts itself about the coins it spends: the Signer's rules of BIP 174.

These checks need no vault: a full previous transaction must be the one that the outpoint
names, a witness utxo must repeat it, and scripts must hash to what they stand for. They
say nothing about ownership; the review compares with the vault's own scripts besides.
"""

from custody.bitcoin.hashing import hash160, sha256
from custody.bitcoin.psbt import Psbt, PsbtInput
from custody.bitcoin.script import OutputKind, output_kind
from custody.bitcoin.transaction import TxOutput
from custody.codes import Code
from custody.errors import Finding, Severity

_ADVICE = "Do not sign: the file contradicts itself about what it spends."
_WITNESS_KINDS = frozenset({OutputKind.P2WPKH, OutputKind.P2WSH, OutputKind.P2TR, OutputKind.UNKNOWN_WITNESS})


def inspect_inputs(psbt: Psbt) -> tuple[Finding, ...]:
    """Return every contradiction in the inputs' previous outputs and scripts."""
    return tuple(finding for index, one in enumerate(psbt.inputs) for finding in inspect_input(one, f"input:{index}"))


def inspect_input(psbt_input: PsbtInput, where: str) -> tuple[Finding, ...]:
    """Return the contradictions of one input: A31, A32, and A33 as far as no vault is needed."""
    findings = _inspect_previous(psbt_input, where)
    spent = spent_output(psbt_input)
    if findings:
        return findings
    if spent is None:
        return (_finding(Code.MISSING_NON_WITNESS_UTXO, where, "nothing says what is spent"),)
    return _inspect_scripts(psbt_input, spent, where)


def spent_output(psbt_input: PsbtInput) -> TxOutput | None:
    """Return the output that the file says is spent, from the full previous transaction where there is one."""
    full, vout = psbt_input.non_witness_utxo, psbt_input.outpoint.vout
    if full is None:
        return psbt_input.witness_utxo
    return full.outputs[vout] if vout < len(full.outputs) else None


def _inspect_previous(psbt_input: PsbtInput, where: str) -> tuple[Finding, ...]:
    full, outpoint = psbt_input.non_witness_utxo, psbt_input.outpoint
    if full is None:
        return ()
    if full.txid != outpoint.txid:
        return (_finding(Code.PREVTX_TXID_MISMATCH, where, f"the previous transaction is `{full.txid}`"),)
    if outpoint.vout >= len(full.outputs):
        return (_finding(Code.PREVOUT_INDEX_OUT_OF_RANGE, where, f"there is no output {outpoint.vout}"),)
    spent = psbt_input.witness_utxo
    if spent is not None and spent != full.outputs[outpoint.vout]:
        return (_finding(Code.UTXO_MISMATCH, where, "the witness utxo is not the previous transaction's output"),)
    return ()


def _inspect_scripts(psbt_input: PsbtInput, spent: TxOutput, where: str) -> tuple[Finding, ...]:
    redeem, locking = psbt_input.redeem_script, spent.script_pubkey
    if redeem is not None:
        if locking != b"\xa9\x14" + hash160(redeem) + b"\x87":
            return (_finding(Code.UNEXPECTED_REDEEM_SCRIPT, where, "the redeem script does not hash to the output's"),)
        locking = redeem
    kind = output_kind(locking)
    if psbt_input.non_witness_utxo is None and kind not in _WITNESS_KINDS | {OutputKind.P2SH}:
        return (_finding(Code.MISSING_NON_WITNESS_UTXO, where, "a witness utxo stands for an output without witness"),)
    script = psbt_input.witness_script
    if script is not None and locking != b"\x00\x20" + sha256(script):
        return (_finding(Code.WITNESS_SCRIPT_MISMATCH, where, "the witness script does not hash to the output's"),)
    return ()


def _finding(code: Code, where: str, message: str) -> Finding:
    return Finding(code, Severity.REFUSE, where, message, _ADVICE)
