"""The inputs of a PSBT: what they really spend, and whether it is ours.

Amount and script come from the full previous transaction, whose hash the outpoint names
(A30 to A32); an input is ours only if the vault derives the same script (A34). Then the
file's own claims about the input are compared with that (A28, A33). An input that can't be
proven has no amount, and no signature on it counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.bitcoin.bip127 import COMMITMENT_OUTPUT
from custody.bitcoin.derivation import DerivedScript
from custody.bitcoin.psbt import Psbt, PsbtInput
from custody.bitcoin.signatures import SpendScript
from custody.bitcoin.transaction import TxOutput
from custody.codes import Code
from custody.errors import CheckFailed, Finding
from custody.spend.review_claims import scripts_fit
from custody.spend.review_devices import missing_metadata
from custody.spend.review_findings import DO_NOT_SIGN, at_input, refuse, warn
from custody.spend.review_labels import label_findings, unlabelled_cosigners
from custody.spend.review_model import ReviewInput, ReviewLimits
from custody.spend.review_places import VaultScripts
from custody.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class SpentOutput:
    """What an input spends, as far as its full previous transaction proves it."""

    proven: TxOutput | None
    findings: tuple[Finding, ...]


COMMITMENT = SpentOutput(COMMITMENT_OUTPUT, ())
"""The first input of a BIP 127 proof, which spends nothing and is signed by nobody."""


def prove_spent_output(number: int, psbt_input: PsbtInput) -> SpentOutput:
    """Take the spent output from the full previous transaction, and from nothing else."""
    where, outpoint = at_input(number), psbt_input.outpoint
    previous = psbt_input.non_witness_utxo
    if previous is None:
        return _unproven(
            refuse(
                Code.MISSING_NON_WITNESS_UTXO,
                where,
                "the full previous transaction is missing, so the amount is only a claim",
                "Ask for the file with full previous transactions; signing without them can burn coins as fee.",
            )
        )
    if previous.txid != outpoint.txid:
        return _unproven(
            refuse(
                Code.PREVTX_TXID_MISMATCH,
                where,
                f"the previous transaction in the file is `{previous.txid}`, the input spends `{outpoint.txid}`",
            )
        )
    if outpoint.vout >= len(previous.outputs):
        return _unproven(
            refuse(
                Code.PREVOUT_INDEX_OUT_OF_RANGE,
                where,
                f"the input spends output {outpoint.vout} of a transaction with {len(previous.outputs)} outputs",
            )
        )
    spent = previous.outputs[outpoint.vout]
    claimed = psbt_input.witness_utxo
    if claimed is None or claimed == spent:
        return SpentOutput(spent, ())
    return SpentOutput(spent, (_utxo_mismatch(where, claimed, spent),))


def duplicate_findings(psbt: Psbt) -> tuple[Finding, ...]:
    """Find outpoints that stand in more than one input (A40)."""
    first_at: dict[str, int] = {}
    findings: list[Finding] = []
    for number, psbt_input in enumerate(psbt.inputs):
        earlier = first_at.setdefault(str(psbt_input.outpoint), number)
        if earlier != number:
            findings.append(
                refuse(
                    Code.DUPLICATE_INPUT,
                    at_input(number),
                    f"the input spends the same coin as input {earlier}: `{psbt_input.outpoint}`",
                )
            )
    return tuple(findings)


def input_findings(
    number: int, psbt_input: PsbtInput, spent: TxOutput, script: DerivedScript | None, vault: Vault
) -> tuple[Finding, ...]:
    """Compare what the file says of a proven input with what it spends."""
    where = at_input(number)
    if script is None:
        foreign = refuse(
            Code.FOREIGN_INPUT,
            where,
            "the coin does not belong to this vault",
            "Do not sign; a payment of this vault spends this vault's coins alone.",
        )
        return (foreign, *_script_findings_of_foreign(where, psbt_input, spent))
    return (
        *_script_findings(where, psbt_input, script),
        *label_findings(where, psbt_input.derivations, script, vault),
        *_missing_from_input(where, psbt_input, script, vault),
    )


def dust_input_findings(inputs: Sequence[ReviewInput], limits: ReviewLimits) -> tuple[Finding, ...]:
    """Warn of inputs too small to be worth spending (A43); `inputs` that are proven and ours."""
    return tuple(
        warn(
            Code.DUST_INPUT,
            at_input(number),
            f"the input brings only {entry.value} sat",
            "Leave such coins alone: spending them costs more than it brings and links addresses.",
        )
        for number, entry in enumerate(inputs)
        if entry.place is not None and entry.value is not None and entry.value < limits.dust_input
    )


def spend_scripts(inputs: Sequence[ReviewInput], scripts: VaultScripts) -> tuple[SpendScript, ...]:
    """Return what each input spends, for the roles that verify signatures.

    Raises:
        CheckFailed: an input is not proven, or not ours.
    """
    return tuple(_spend_script(number, entry, scripts) for number, entry in enumerate(inputs))


def _spend_script(number: int, entry: ReviewInput, scripts: VaultScripts) -> SpendScript:
    if entry.value is None:
        raise CheckFailed(
            Code.MISSING_NON_WITNESS_UTXO,
            f"what {at_input(number)} spends is not proven by a full previous transaction",
            advice="Use the original file, with its full previous transactions.",
        )
    if entry.place is None:
        raise CheckFailed(Code.FOREIGN_INPUT, f"{at_input(number)} does not belong to this vault", advice=DO_NOT_SIGN)
    derived = scripts.at(entry.place)
    return SpendScript(derived.witness_script, entry.value, derived.redeem_script)


def _script_findings(where: str, psbt_input: PsbtInput, script: DerivedScript) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    if psbt_input.witness_script is not None and psbt_input.witness_script != script.witness_script:
        findings.append(
            refuse(
                Code.WITNESS_SCRIPT_MISMATCH,
                where,
                f"the witness script in the file is `{_short(psbt_input.witness_script)}`, "
                f"the vault's is `{_short(script.witness_script)}`",
            )
        )
    if psbt_input.redeem_script is not None and psbt_input.redeem_script != script.redeem_script:
        expected = "none" if script.redeem_script is None else f"`{script.redeem_script.hex()}`"
        findings.append(
            refuse(
                Code.UNEXPECTED_REDEEM_SCRIPT,
                where,
                f"the redeem script in the file is `{_short(psbt_input.redeem_script)}`, expected {expected}",
            )
        )
    return tuple(findings)


def _script_findings_of_foreign(where: str, psbt_input: PsbtInput, spent: TxOutput) -> tuple[Finding, ...]:
    if scripts_fit(spent.script_pubkey, psbt_input.witness_script, psbt_input.redeem_script):
        return ()
    return (
        refuse(
            Code.WITNESS_SCRIPT_MISMATCH,
            where,
            "the scripts in the file are not those that the spent output commits to",
        ),
    )


def _missing_from_input(where: str, psbt_input: PsbtInput, script: DerivedScript, vault: Vault) -> tuple[Finding, ...]:
    """Name what devices will miss. A finalized input has rightly lost all but its coin (BIP 174)."""
    if psbt_input.is_final:
        return ()
    findings: list[Finding] = []
    if psbt_input.witness_utxo is None:
        findings.append(missing_metadata(Code.WITNESS_UTXO_MISSING, where, "the witness utxo is missing"))
    if psbt_input.witness_script is None:
        findings.append(missing_metadata(Code.WITNESS_SCRIPT_MISSING, where, "the witness script is missing"))
    if script.redeem_script is not None and psbt_input.redeem_script is None:
        findings.append(missing_metadata(Code.REDEEM_SCRIPT_MISSING, where, "the redeem script is missing"))
    names = unlabelled_cosigners(psbt_input.derivations, script, vault)
    if names:
        message = f"key origins are missing for {', '.join(names)}"
        findings.append(missing_metadata(Code.DERIVATIONS_MISSING, where, message))
    return tuple(findings)


def _utxo_mismatch(where: str, claimed: TxOutput, spent: TxOutput) -> Finding:
    if claimed.value != spent.value:
        message = f"the file claims {claimed.value} sat, the previous transaction says {spent.value} sat"
    else:
        message = (
            f"the file claims the script `{_short(claimed.script_pubkey)}`, "
            f"the previous transaction says `{_short(spent.script_pubkey)}`"
        )
    return refuse(Code.UTXO_MISMATCH, where, message)


def _unproven(finding: Finding) -> SpentOutput:
    return SpentOutput(None, (finding,))


def _short(script: bytes) -> str:
    return script.hex() if len(script) <= 34 else f"{script.hex()[:32]}... ({len(script)} bytes)"
