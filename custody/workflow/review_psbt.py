"""Review a PSBT from its bytes and one vault: the signer's journey, without network or workspace.

The review itself is `spend.review`; here its own places are derived again by the second
engine, and a difference is a refusing finding. Imports neither chain nor workspace, so that
it runs on a machine that has neither.
"""

from dataclasses import replace

from custody.bitcoin.psbt import Psbt
from custody.bitcoin.second_opinion import SecondOpinion
from custody.codes import Code
from custody.errors import Finding
from custody.spend.review import review
from custody.spend.review_findings import at_input, at_output, refuse
from custody.spend.review_model import Place, Review, ReviewContext, in_order_of_weight
from custody.spend.review_proof import with_recomputed_parent
from custody.vault.vault import Vault


def review_psbt(psbt: Psbt, vault: Vault, context: ReviewContext) -> Review:
    """Review `psbt` with both engines; findings are returned, nothing raises for a bad payment."""
    psbt = with_recomputed_parent(psbt)
    answer = review(psbt, vault, context)
    disagreements = engine_findings(answer, psbt, vault)
    if not disagreements:
        return answer
    return replace(answer, findings=in_order_of_weight([*disagreements, *answer.findings]))


def engine_findings(answer: Review, psbt: Psbt, vault: Vault) -> list[Finding]:
    """Derive every script that the review calls ours with the second engine, and compare it with the PSBT."""
    scripts = _second_scripts(answer, vault)
    findings: list[Finding] = []
    for number, (entry, one) in enumerate(zip(answer.inputs, psbt.inputs, strict=True)):
        previous = one.non_witness_utxo
        if entry.place is not None and previous is not None:
            spent = previous.outputs[one.outpoint.vout].script_pubkey
            findings += _compare(at_input(number), spent, scripts[entry.place], entry.place)
    for number, output in enumerate(answer.outputs):
        if output.place is not None:
            findings += _compare(at_output(number), output.script_pubkey, scripts[output.place], output.place)
    return findings


def _second_scripts(answer: Review, vault: Vault) -> dict[Place, bytes]:
    everywhere = [*(entry.place for entry in answer.inputs), *(output.place for output in answer.outputs)]
    places = {place for place in everywhere if place is not None}
    if not places:
        return {}
    second = SecondOpinion(vault.descriptor_text, vault.network)
    position = {int(branch): number for number, branch in enumerate(vault.descriptor.branches)}
    return {place: second.script_pubkey_at(position[place.branch], place.index) for place in places}


def _compare(where: str, found: bytes, second: bytes, place: Place) -> list[Finding]:
    if found == second:
        return []
    return [
        refuse(
            Code.ENGINES_DISAGREE,
            where,
            f"the engines derive different scripts at {place.label} {place.index}: "
            f"`{found.hex()}` and `{second.hex()}`",
            "Do not sign; report the vault's descriptor to the developers.",
        )
    ]
