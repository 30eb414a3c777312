"""The review: what a PSBT really does to a vault, and everything that is wrong with it.

The rules, in the order in which they are applied:
1. The transaction is the approved one and can't be changed any more.
2. What an input spends is what its full previous transaction says.
3. An input or output is ours only if the vault derives its whole script.
4. The file's claims about both are compared with that.
5. Fee, times and types stay within the limits; addresses don't imitate each other.
6. Every signature is verified; the weakest input counts.
7. What devices will miss, and what nobody here could verify, is said.
8. A rehearsal is one to the byte; what spends a coin that can't exist and is none is refused.
9. A proof can't be spent by anybody, so rules of payments (fee, dust, times) say nothing about it; its first input
   in anything else is refused.

Pure: no chain, no workspace, no policy, and no trust in any label. The codes stand in
`docs/formats/psbt-review.md`.
"""

from collections.abc import Sequence
from dataclasses import replace

from custody.bitcoin.address import address_of
from custody.bitcoin.psbt import Psbt, RawField
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.signatures import verify_input_signatures
from custody.bitcoin.size import worst_case_vsize
from custody.bitcoin.transaction import TxOutput
from custody.codes import Code
from custody.errors import Finding
from custody.spend.lookalike import look_alikes
from custody.spend.progress import SigningProgress, signer_set_findings
from custody.spend.rehearsal import judge_purpose
from custody.spend.review_claims import claim_findings
from custody.spend.review_devices import global_xpub_findings
from custody.spend.review_earlier import Spend, replacement_findings
from custody.spend.review_fees import fee_findings
from custody.spend.review_findings import TX, at_input, at_output, note, refuse, warn
from custody.spend.review_inputs import (
    COMMITMENT,
    duplicate_findings,
    dust_input_findings,
    input_findings,
    prove_spent_output,
)
from custody.spend.review_model import (
    Purpose,
    Review,
    ReviewContext,
    ReviewInput,
    ReviewOutput,
    in_order_of_weight,
)
from custody.spend.review_model import require_clean as require_clean
from custody.spend.review_outputs import index_findings, kind_findings, missing_from_change, own_output_findings
from custody.spend.review_ownership import Ownership, find_ownership
from custody.spend.review_places import VaultScripts
from custody.spend.review_proof import commitment_inputs, judge_proof, with_recomputed_parent
from custody.spend.review_time import time_findings
from custody.vault.vault import Vault

_MAX_FIELDS_LISTED = 8


def review(psbt: Psbt, vault: Vault, context: ReviewContext) -> Review:
    """Return what `psbt` does to `vault` and every finding; nothing raises for a bad payment.

    The PSBT is believed in nothing but its unsigned transaction; `vault` and `context` are
    trusted. Use `require_clean` to refuse.
    """
    scripts, psbt, unsigned = VaultScripts.of(vault), with_recomputed_parent(psbt), commitment_inputs(psbt)
    spent = [
        COMMITMENT if number in unsigned else prove_spent_output(number, one) for number, one in enumerate(psbt.inputs)
    ]
    coins = [entry.proven for entry in spent]
    ownership = find_ownership(psbt, coins, scripts, context)
    signing, signature_findings = _verify_signatures(psbt, coins, ownership, scripts, unsigned)
    purpose, purpose_findings = judge_purpose(psbt, vault)
    judged = judge_proof(psbt, vault, coins, ownership.inputs, ownership.outputs)
    answer = _describe(psbt, vault, coins, ownership, signing)
    if judged.proof is not None:
        purpose, answer = Purpose.PROOF, replace(answer, proof=judged.proof)
    findings = [
        *_identity_findings(psbt, answer, context),
        *purpose_findings,
        *judged.findings,
        *(finding for entry in spent for finding in entry.findings),
        *_findings_of_inputs(psbt, coins, ownership, scripts, unsigned),
        *(
            _findings_of_proven_outputs(psbt, ownership, scripts)
            if purpose is Purpose.PROOF
            else _findings_of_payment(psbt, answer, ownership, scripts, context)
        ),
        *signature_findings,
        *signer_set_findings(signing),
        *global_xpub_findings(psbt, vault),
        *_unknown_field_findings(psbt),
        *(_unverified(context) if purpose is Purpose.PAYMENT else ()),
    ]
    return replace(answer, purpose=purpose, findings=in_order_of_weight(findings))


def _findings_of_payment(
    psbt: Psbt, answer: Review, ownership: Ownership, scripts: VaultScripts, context: ReviewContext
) -> list[Finding]:
    """Apply what only matters where coins move."""
    return [
        *dust_input_findings(answer.inputs, context.limits),
        *_findings_of_outputs(psbt, ownership, scripts, context),
        *_look_alike_findings(answer, context),
        *_replacement_findings(psbt, ownership, context),
        *fee_findings(answer, context.limits),
        *time_findings(psbt, context.limits),
    ]


def _findings_of_proven_outputs(psbt: Psbt, ownership: Ownership, scripts: VaultScripts) -> list[Finding]:
    """Compare the output that a BIP 127 proof pays back to the vault with the vault; devices read its metadata."""
    return [
        finding
        for number, (one, place) in enumerate(zip(psbt.outputs, ownership.outputs, strict=True))
        if place is not None
        for finding in own_output_findings(at_output(number), one, scripts.at(place), scripts.vault)
    ]


def _describe(
    psbt: Psbt, vault: Vault, coins: Sequence[TxOutput | None], ownership: Ownership, signing: SigningProgress
) -> Review:
    inputs = tuple(
        ReviewInput(one.outpoint, coin.value if coin is not None else None, place)
        for one, coin, place in zip(psbt.inputs, coins, ownership.inputs, strict=True)
    )
    outputs = tuple(
        ReviewOutput(one.value, one.script_pubkey, address_of(one.script_pubkey, vault.network), place)
        for one, place in zip(psbt.outputs, ownership.outputs, strict=True)
    )
    vsize = worst_case_vsize(
        len(inputs),
        [output.script_pubkey for output in outputs],
        threshold=vault.threshold,
        key_count=len(vault.cosigners),
        script_type=vault.descriptor.script_type,
    )
    return Review(vault.network, psbt.unsigned_txid, inputs, outputs, vsize, signing, ())


def _identity_findings(psbt: Psbt, answer: Review, context: ReviewContext) -> list[Finding]:
    findings: list[Finding] = []
    expected = context.expected_txid
    if expected is not None and expected != answer.unsigned_txid:
        findings.append(
            refuse(
                Code.TXID_NOT_APPROVED,
                TX,
                f"the unsigned transaction is `{answer.unsigned_txid}`, approved was `{expected}`",
            )
        )
    if psbt.tx_modifiable:
        message = f"the file still allows changes to the transaction (flags {psbt.tx_modifiable:#04x})"
        advice = "Do not sign; ask for the file after its inputs and outputs are settled."
        findings.append(refuse(Code.TX_STILL_MODIFIABLE, TX, message, advice))
    if not psbt.inputs:
        findings.append(refuse(Code.NO_INPUTS, TX, "the transaction spends nothing"))
    if not psbt.outputs:
        findings.append(refuse(Code.NO_OUTPUTS, TX, "the transaction pays nobody: all would be fee"))
    return [*findings, *duplicate_findings(psbt)]


def _findings_of_inputs(
    psbt: Psbt,
    coins: Sequence[TxOutput | None],
    ownership: Ownership,
    scripts: VaultScripts,
    unsigned: frozenset[int],
) -> list[Finding]:
    findings: list[Finding] = []
    for number, (one, coin, place) in enumerate(zip(psbt.inputs, coins, ownership.inputs, strict=True)):
        if coin is not None and number not in unsigned:
            script = scripts.at(place) if place is not None else None
            findings += input_findings(number, one, coin, script, scripts.vault)
    return findings


def _findings_of_outputs(
    psbt: Psbt, ownership: Ownership, scripts: VaultScripts, context: ReviewContext
) -> list[Finding]:
    findings: list[Finding] = []
    all_final = bool(psbt.inputs) and all(one.is_final for one in psbt.inputs)
    for number, (one, place) in enumerate(zip(psbt.outputs, ownership.outputs, strict=True)):
        where = at_output(number)
        findings += kind_findings(where, one)
        if place is None:
            findings += claim_findings(where, one, scripts.vault, found_keys=ownership.found_keys)
            continue
        script = scripts.at(place)
        findings += own_output_findings(where, one, script, scripts.vault)
        findings += index_findings(where, place, ownership.last_used, context.limits)
        if not all_final:
            findings += missing_from_change(where, one, script, scripts.vault)
    return findings


def _look_alike_findings(answer: Review, context: ReviewContext) -> list[Finding]:
    addresses = [output.address for output in answer.outputs if output.address is not None]
    alike = look_alikes(addresses, context.known_addresses)
    return [
        warn(
            Code.LOOKALIKE_OF_KNOWN,
            at_output(number),
            f"the payee `{output.address}` looks like `{alike[output.address]}` and is another",
            "Compare the whole address, character by character, with the payee's own statement.",
        )
        for number, output in enumerate(answer.outputs)
        if output.place is None and output.address is not None and output.address in alike
    ]


def _replacement_findings(psbt: Psbt, ownership: Ownership, context: ReviewContext) -> tuple[Finding, ...]:
    if not context.earlier:
        return ()
    places = zip(psbt.outputs, ownership.outputs, strict=True)
    own = {output.script_pubkey for output, place in places if place is not None}
    earlier = [Spend.of(old, ownership.earlier_scripts) for old in context.earlier]
    return replacement_findings(Spend.of(psbt, own), earlier, context.replaces)


def _verify_signatures(
    psbt: Psbt,
    coins: Sequence[TxOutput | None],
    ownership: Ownership,
    scripts: VaultScripts,
    unsigned: frozenset[int],
) -> tuple[SigningProgress, list[Finding]]:
    """Verify every signature on inputs that are proven and ours; on others none counts. `unsigned` ones need none."""
    vault, hasher = scripts.vault, SegwitV0Hasher(psbt.unsigned_transaction())
    findings: list[Finding] = []
    per_input: list[tuple[str, ...]] = []
    for number, (coin, place) in enumerate(zip(coins, ownership.inputs, strict=True)):
        if number in unsigned:
            continue
        if coin is None or place is None:
            per_input.append(())
            continue
        script = scripts.at(place)
        judged = verify_input_signatures(
            psbt, number, script.witness_script, coin.value, hasher, redeem_script=script.redeem_script
        )
        findings += judged.findings
        valid = set(judged.valid)
        signers = zip(vault.cosigners, script.key_by_cosigner, strict=True)
        per_input.append(tuple(cosigner.name for cosigner, key in signers if key in valid))
    names = [cosigner.name for cosigner in vault.cosigners]
    return SigningProgress.count(vault.threshold, names, per_input), findings


def _unknown_field_findings(psbt: Psbt) -> list[Finding]:
    maps = [
        (TX, psbt.unknown),
        *((at_input(number), one.unknown) for number, one in enumerate(psbt.inputs)),
        *((at_output(number), one.unknown) for number, one in enumerate(psbt.outputs)),
    ]
    return [
        warn(
            Code.UNKNOWN_FIELDS_PRESENT,
            where,
            f"{len(fields)} field(s) that this program does not read: {_listed(fields)}",
            "They change nothing here and are kept; ask who added them and which signer reads them.",
        )
        for where, fields in maps
        if fields
    ]


def _listed(fields: Sequence[RawField]) -> str:
    keys = [f"`{field.key.hex()[:40]}` ({len(field.value)} bytes)" for field in fields[:_MAX_FIELDS_LISTED]]
    rest = len(fields) - len(keys)
    return ", ".join(keys) + (f" and {rest} more" if rest else "")


def _unverified(context: ReviewContext) -> tuple[Finding, ...]:
    if context.coins_verified:
        return ()
    message = "nobody asked a chain whether the inputs exist and are unspent"
    advice = "Nothing to do: the network refuses coins that don't exist; amounts were read from previous transactions."
    return (note(Code.UTXO_UNVERIFIED, TX, message, advice),)
