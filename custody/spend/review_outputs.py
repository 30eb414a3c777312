"""The outputs of a PSBT: whose they are, and what is odd about them.

Whose an output is has been decided by derivation before this module is asked. Here the
metadata of our own outputs is compared with the vault (A28), their indexes with the limits
(A26), and the others' scripts with what can be paid to safely (A43, A45).
"""

from custody.bitcoin.derivation import DerivedScript
from custody.bitcoin.psbt import PsbtOutput
from custody.bitcoin.script import OutputKind, dust_threshold, output_kind
from custody.codes import Code
from custody.errors import Finding
from custody.spend.review_devices import failing_devices, missing_metadata
from custody.spend.review_findings import refuse, warn
from custody.spend.review_labels import label_findings, unlabelled_cosigners
from custody.spend.review_model import Place, ReviewLimits
from custody.vault.vault import Vault

_PAYABLE = frozenset(
    {OutputKind.P2PKH, OutputKind.P2SH, OutputKind.P2WPKH, OutputKind.P2WSH, OutputKind.P2TR, OutputKind.OP_RETURN}
)
_MAX_DATA_SHOWN = 80


def own_output_findings(where: str, output: PsbtOutput, script: DerivedScript, vault: Vault) -> tuple[Finding, ...]:
    """Compare the metadata of an output of ours with the vault."""
    findings: list[Finding] = []
    if output.witness_script not in (None, script.witness_script) or output.redeem_script not in (
        None,
        script.redeem_script,
    ):
        findings.append(
            refuse(
                Code.OUTPUT_METADATA_CONTRADICTS_SCRIPT,
                where,
                "the output is ours, and a script in its metadata is not the vault's script there",
            )
        )
    findings += label_findings(where, output.derivations, script, vault)
    if script.branch == 0 and output.derivations:
        findings.append(
            warn(
                Code.CHANGE_ON_RECEIVE_CHAIN,
                where,
                f"the output claims to be change and goes to our receive branch, index {script.index}",
                "Make sure that this is meant; change belongs on the change branch.",
            )
        )
    return tuple(findings)


def missing_from_change(where: str, output: PsbtOutput, script: DerivedScript, vault: Vault) -> tuple[Finding, ...]:
    """Warn where devices can't recognise change, and show it as a payment."""
    if script.branch != 1:
        return ()
    names = unlabelled_cosigners(output.derivations, script, vault)
    absent = [f"key origins of {', '.join(names)}"] if names else []
    if output.witness_script is None:
        absent.append("witness script")
    if script.redeem_script is not None and output.redeem_script is None:
        absent.append("redeem script")
    if not absent:
        return ()
    message = f"change metadata is missing: {'; '.join(absent)}"
    return (missing_metadata(Code.CHANGE_METADATA_MISSING, where, message),)


def index_findings(where: str, place: Place, last_used: int, limits: ReviewLimits) -> tuple[Finding, ...]:
    """Judge how far an own output lies beyond the last used index (A26)."""
    distance = place.index - last_used
    if distance <= limits.change_gap:
        return ()
    message = f"{place.label} index {place.index} lies {distance} above the last used index {last_used}"
    if distance > limits.change_limit:
        return (
            refuse(
                Code.CHANGE_INDEX_BEYOND_LIMIT,
                where,
                f"{message}, at most {limits.change_limit} is allowed",
                "Do not sign: wallets that restore from the descriptor would not find these coins.",
            ),
        )
    return (
        warn(
            Code.CHANGE_INDEX_BEYOND_GAP,
            where,
            f"{message}: many wallets look no further than {limits.change_gap}",
            "If the vault has used indexes up to there, say so with --last-used-index; else ask why.",
        ),
    )


def kind_findings(where: str, output: PsbtOutput) -> tuple[Finding, ...]:
    """Judge script type and dust of any output."""
    kind = output_kind(output.script_pubkey)
    if kind is OutputKind.OP_RETURN:
        return (_data_finding(where, output),)
    if kind not in _PAYABLE:
        shown = output.script_pubkey.hex()[:_MAX_DATA_SHOWN] or "empty"
        return (
            refuse(
                Code.UNKNOWN_OUTPUT_TYPE,
                where,
                f"the output's script is of a kind that is not paid to ({kind}): `{shown}`",
                "Do not sign: the coins could be lost or taken by anybody.",
            ),
        )
    threshold = dust_threshold(output.script_pubkey)
    if output.value >= threshold:
        return ()
    return (
        refuse(
            Code.DUST_OUTPUT,
            where,
            f"the output of {output.value} sat is dust, nodes relay {threshold} sat or more",
            "Raise the amount or leave the output out.",
        ),
    )


def _data_finding(where: str, output: PsbtOutput) -> Finding:
    data = output.script_pubkey[1:].hex()
    shown = data if len(data) <= _MAX_DATA_SHOWN else f"{data[:_MAX_DATA_SHOWN]}... ({len(data) // 2} bytes)"
    if output.value:
        return warn(
            Code.UNSPENDABLE_OUTPUT_WITH_VALUE,
            where,
            f"the output burns {output.value} sat in an OP_RETURN with data `{shown}`",
            "Make sure that these coins are meant to be destroyed.",
        )
    return warn(
        Code.DATA_OUTPUT,
        where,
        f"the output publishes data `{shown}` ({failing_devices(Code.DATA_OUTPUT)})",
        "Make sure that this data is meant to be public for ever.",
    )
