"""The PSBT of a draft, complete for every device, and the check of what was built.

Creator and Updater of BIP 174: version 0, full previous transactions beside witness UTXOs,
scripts, the derivations of all n keys for inputs and our own outputs, all n global xpubs,
no sighash type (the default, ALL). `verify_draft` then forgets how it was built and
recomputes amounts, fee, rate and ownership from the finished bytes.
"""

from collections.abc import Mapping

from custody.bitcoin.amount import FeeRate
from custody.bitcoin.derivation import DerivedScript, ScriptDeriver
from custody.bitcoin.keys import KeyOrigin
from custody.bitcoin.psbt import GlobalXpub, KeyDerivation, Psbt, PsbtInput, PsbtOutput
from custody.bitcoin.script import dust_threshold
from custody.bitcoin.second_opinion import require_same_scripts, script_pubkey_at
from custody.bitcoin.size import worst_case_vsize
from custody.bitcoin.transaction import Transaction, TxOutput
from custody.codes import Code
from custody.errors import CheckFailed
from custody.spend.proposal import Proposal
from custody.spend.utxo import Coin
from custody.vault.vault import Vault

Place = tuple[int, int]
"""Branch and index."""


def build_psbt(
    proposal: Proposal,
    vault: Vault,
    coins: Mapping[str, Coin],
    previous: Mapping[str, Transaction],
    own_outputs: Mapping[bytes, Place] | None = None,
) -> Psbt:
    """Return the complete unsigned PSBT of `proposal`, version 0.

    `coins` by outpoint text, `previous` full transactions by txid; both are compared with what
    the vault derives. `own_outputs` places further scripts of ours (a move to ourselves).

    Raises:
        CheckFailed: PREVTX_TXID_MISMATCH, UTXO_MISMATCH, or what `verify_draft` raises.
    """
    deriver = vault.deriver
    places = dict(own_outputs or {})
    for change in proposal.change:
        places[deriver.at(change.branch, change.index).script_pubkey] = (change.branch, change.index)
    bare = Psbt.create(proposal.unsigned_transaction)
    psbt = Psbt(
        bare.version,
        bare.tx_version,
        bare.fallback_locktime,
        tuple(_filled_input(one, vault, deriver, coins[str(one.outpoint)], previous) for one in bare.inputs),
        tuple(_filled_output(one, vault, deriver, places.get(one.script_pubkey)) for one in bare.outputs),
        global_xpubs=global_xpubs(vault),
    )
    verify_draft(psbt, proposal, vault)
    return psbt


def verify_draft(psbt: Psbt, proposal: Proposal, vault: Vault) -> None:
    """Recompute from the bytes of `psbt` what `proposal` claims.

    Raises:
        CheckFailed: the file and the proposal differ, or the fee is not what was asked for.
    """
    again = Psbt.parse(psbt.serialize())
    transaction = again.unsigned_transaction()
    # 1. It is the proposal's transaction, of the proposal's vault.
    _demand(
        transaction.serialize_without_witness() == proposal.unsigned_transaction.serialize_without_witness(),
        Code.DIFFERENT_TRANSACTION,
        "the PSBT holds another transaction than the proposal",
    )
    _demand(proposal.vault_id == vault.vault_id, Code.VAULT_MISMATCH, "the proposal belongs to another vault")
    # 2. Amounts come from the full previous transactions alone; what they leave is the fee.
    spent = [_spent_output(psbt_input) for psbt_input in again.inputs]
    fee = sum(output.value for output in spent) - sum(output.value for output in transaction.outputs)
    _demand(fee == proposal.fee, Code.UTXO_MISMATCH, f"the fee is {fee} sat, the proposal says {proposal.fee} sat")
    # 3. The rate holds at the largest size that signatures can give.
    size = worst_case_vsize(
        len(transaction.inputs),
        [output.script_pubkey for output in transaction.outputs],
        threshold=vault.threshold,
        key_count=len(vault.cosigners),
        script_type=vault.descriptor.script_type,
    )
    rate = FeeRate.of(proposal.fee, size)
    _demand(rate >= proposal.fee_rate, Code.FEE_BELOW_RELAY, f"the fee rate is {rate.sat_vb} sat/vB over {size} vB")
    # 4. Change is ours by derivation with two engines, and nothing is dust.
    deriver = vault.deriver
    scripts = {output.script_pubkey for output in transaction.outputs}
    for change in proposal.change:
        ours = deriver.at(change.branch, change.index).script_pubkey
        theirs = script_pubkey_at(vault.descriptor_text, change.branch, change.index, vault.network)
        require_same_scripts([ours], [theirs], what=f"change index {change.index}")
        _demand(ours in scripts, Code.CHANGE_NOT_OURS, f"change index {change.index} is not among the outputs")
    for place, output in enumerate(transaction.outputs):
        dust = output.value < dust_threshold(output.script_pubkey)
        _demand(not dust, Code.DUST_OUTPUT, f"output {place} is dust: {output.value} sat")


def final_txid(psbt: Psbt) -> str:
    """Return the txid that the finished transaction will have, as displayed.

    Of a native segwit vault it is the unsigned txid; wrapped in P2SH, each input's script
    signature is the push of its redeem script, known before anybody signs.
    """
    unsigned = psbt.unsigned_transaction()
    inputs = tuple(
        type(tx_input)(tx_input.outpoint, push_script(psbt_input.redeem_script), tx_input.sequence)
        for tx_input, psbt_input in zip(unsigned.inputs, psbt.inputs, strict=True)
    )
    return Transaction(unsigned.version, inputs, unsigned.outputs, unsigned.locktime).txid


def stripped_txid(transaction: Transaction) -> str:
    """Return the txid of the transaction without script signatures: the unsigned one it came from."""
    inputs = tuple(type(one)(one.outpoint, b"", one.sequence) for one in transaction.inputs)
    return Transaction(transaction.version, inputs, transaction.outputs, transaction.locktime).txid


def push_script(redeem_script: bytes | None) -> bytes:
    """Return the script signature that reveals a P2SH redeem script of up to 75 bytes; empty without one."""
    return b"" if redeem_script is None else bytes([len(redeem_script)]) + redeem_script


def fill_input(bare: PsbtInput, vault: Vault, script: DerivedScript, parent: Transaction) -> PsbtInput:
    """Return the input with all that devices need: `parent` in full, the output, scripts and all n derivations."""
    return PsbtInput(
        outpoint=bare.outpoint,
        stated_sequence=bare.stated_sequence,
        non_witness_utxo=parent,
        witness_utxo=parent.outputs[bare.outpoint.vout],
        redeem_script=script.redeem_script,
        witness_script=script.witness_script,
        derivations=_derivations(vault, script),
    )


def fill_output(bare: PsbtOutput, vault: Vault, script: DerivedScript) -> PsbtOutput:
    """Return the output of ours with its scripts and all n derivations, so that devices know it as change.

    Raises:
        CheckFailed: CHANGE_SCRIPT_MISMATCH, it pays another script.
    """
    if script.script_pubkey != bare.script_pubkey:
        raise _refused(Code.CHANGE_SCRIPT_MISMATCH, "an output called ours is not what the vault derives")
    return PsbtOutput(
        value=bare.value,
        script_pubkey=bare.script_pubkey,
        redeem_script=script.redeem_script,
        witness_script=script.witness_script,
        derivations=_derivations(vault, script),
    )


def global_xpubs(vault: Vault) -> tuple[GlobalXpub, ...]:
    """Return every cosigner's key with its origin, as a PSBT's global map holds them."""
    return tuple(
        GlobalXpub(cosigner.key.key.to_bytes78(vault.network), cosigner.key.origin) for cosigner in vault.cosigners
    )


def _filled_input(
    bare: PsbtInput, vault: Vault, deriver: ScriptDeriver, coin: Coin, previous: Mapping[str, Transaction]
) -> PsbtInput:
    where = f"input `{bare.outpoint}`"
    parent = previous.get(bare.outpoint.txid)
    if parent is None or parent.txid != bare.outpoint.txid:
        raise _refused(Code.PREVTX_TXID_MISMATCH, f"{where}: the previous transaction is missing or another one")
    script = deriver.at(coin.branch, coin.index)
    wanted = TxOutput(coin.value, script.script_pubkey)
    found = parent.outputs[bare.outpoint.vout] if bare.outpoint.vout < len(parent.outputs) else None
    if found != wanted or coin.script_pubkey != script.script_pubkey:
        raise _refused(Code.UTXO_MISMATCH, f"{where}: value or script is not that of the coin")
    return fill_input(bare, vault, script, parent)


def _filled_output(bare: PsbtOutput, vault: Vault, deriver: ScriptDeriver, place: Place | None) -> PsbtOutput:
    return bare if place is None else fill_output(bare, vault, deriver.at(*place))


def _derivations(vault: Vault, script: DerivedScript) -> tuple[KeyDerivation, ...]:
    """Return all n keys of a script with their origins, in the order in which a PSBT writes them."""
    steps = (script.branch, script.index)
    origins = [cosigner.key.origin for cosigner in vault.cosigners]
    derivations = [
        KeyDerivation(key, KeyOrigin(origin.fingerprint, (*origin.path, *steps)))
        for key, origin in zip(script.key_by_cosigner, origins, strict=True)
    ]
    return tuple(sorted(derivations, key=lambda derivation: derivation.public_key))


def _spent_output(psbt_input: PsbtInput) -> TxOutput:
    parent, outpoint = psbt_input.non_witness_utxo, psbt_input.outpoint
    if parent is None or parent.txid != outpoint.txid or outpoint.vout >= len(parent.outputs):
        raise _refused(Code.PREVTX_TXID_MISMATCH, f"input `{outpoint}` lacks its full previous transaction")
    return parent.outputs[outpoint.vout]


def _demand(holds: bool, code: Code, message: str) -> None:
    if not holds:
        raise _refused(code, message)


def _refused(code: Code, message: str) -> CheckFailed:
    return CheckFailed(code, message, advice="Nothing was recorded; run `coins sync --full` and draft again.")
