"""One statement of a reserve against the verifier's view: its descriptor, addresses, coins, sum and proofs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from custody.audit.reserves.descriptor import KnownVault, Place
from custody.audit.reserves.findings import at_statement, refuse_claim, warn_of
from custody.audit.reserves.payment import PaymentClaim
from custody.audit.reserves.proofs import ProofRuling, judge_proof
from custody.audit.reserves.statement import ProofKind, Statement
from custody.audit.reserves.view import ReserveView
from custody.bitcoin.address import script_of
from custody.bitcoin.amount import Sats, format_btc
from custody.bitcoin.bip322_model import MessageVerdict
from custody.codes import Code
from custody.errors import CustodyError, Finding


@dataclass(frozen=True, slots=True)
class StatementVerdict:
    """What was found out about one statement."""

    number: int
    """From 1, in the order given."""
    statement: Statement
    claimed_scripts: tuple[tuple[bytes, str], ...]
    """Script and address of each claim, in its order; repetitions included."""
    proven: frozenset[bytes]
    """Scripts whose keys are proven."""
    keys_proved: bool | None
    """None: a proof can't be judged here."""
    counted: Sats
    """By the view, at proven addresses."""
    signers: tuple[str, ...] | None
    """Fingerprints of the vault's keys that signed, where its descriptor is known."""
    public_keys: int
    """Different public keys of addresses that signed."""
    is_vault_known: bool
    findings: tuple[Finding, ...]


def judge_statement(number: int, statement: Statement, view: ReserveView, known: KnownVault | None) -> StatementVerdict:
    """Judge one statement; `known` is a vault of which the verifier has the descriptor."""
    where = at_statement(number)
    findings: list[Finding] = []
    scripts = _scripts(statement, where, findings)
    vault = _vault(statement, known, where, findings)
    places = {} if vault is None else _places(statement, vault, where, findings)
    findings += _coin_findings(statement, scripts, view, where)
    claimed = frozenset(scripts.values())
    rulings = [judge_proof(statement.challenge, proof, claimed, view) for proof in statement.proofs]
    findings += _proof_findings(statement, rulings, scripts, places if vault is not None else None, where)
    proven = _proven(statement, rulings, claimed, places if vault is not None else None)
    open_question = any(one.code is Code.RESERVE_UNJUDGED for one in findings)
    missing = [address for address, script in scripts.items() if script not in proven]
    if missing and not open_question:
        findings.append(_unproven(missing, where))
    signed = [pair for ruling in rulings for pair in ruling.signers]
    return StatementVerdict(
        number=number,
        statement=statement,
        claimed_scripts=tuple(
            (scripts[one.address], one.address) for one in statement.addresses if one.address in scripts
        ),
        proven=proven,
        keys_proved=_is_proved(statement, scripts, missing, open_question),
        counted=Sats(sum(coin.value for coin in view.coins if coin.script_pubkey in proven)),
        signers=None if vault is None else vault.signers(signed, places),
        public_keys=len({key for _script, key in signed}),
        is_vault_known=vault is not None,
        findings=tuple(findings),
    )


def scripts_to_ask(statements: Iterable[Statement]) -> frozenset[bytes]:
    """Return every script whose coins a verifier asks for: claimed addresses, and those that payments pay to."""
    statements = tuple(statements)
    addresses = {(one.address, statement.challenge.network) for statement in statements for one in statement.addresses}
    addresses |= {(claim.address, statement.challenge.network) for statement, claim in payment_claims(statements)}
    found = set()
    for address, network in addresses:
        try:
            found.add(script_of(address, network))
        except CustodyError:
            continue
    return frozenset(found)


def payment_claims(statements: Iterable[Statement]) -> Iterator[tuple[Statement, PaymentClaim]]:
    """Yield the payments that statements name, as far as they can be read."""
    for statement in statements:
        for proof in statement.proofs:
            if proof.kind is ProofKind.PAYMENT:
                try:
                    claim = PaymentClaim.parse(proof.text)
                    script_of(claim.address, statement.challenge.network)
                except CustodyError:
                    continue
                yield statement, claim


def _scripts(statement: Statement, where: str, findings: list[Finding]) -> dict[str, bytes]:
    scripts: dict[str, bytes] = {}
    for claim in statement.addresses:
        try:
            scripts[claim.address] = script_of(claim.address, statement.challenge.network)
        except CustodyError as error:
            findings.append(refuse_claim(error.code, where, f"`{claim.address}`: {error.message}"))
    if not statement.addresses or not statement.coins:
        findings.append(refuse_claim(Code.RESERVE_EMPTY, where, "it claims no address or no coin"))
    return scripts


def _vault(statement: Statement, known: KnownVault | None, where: str, findings: list[Finding]) -> KnownVault | None:
    """Return the vault whose descriptor is disclosed, or which the verifier knows to be this one."""
    if statement.descriptor is None:
        if known is not None and statement.vault_id not in (None, known.vault_id):
            findings.append(_other_vault(statement.vault_id, known, where))
            return None
        return known
    try:
        vault = KnownVault.parse(statement.descriptor, statement.challenge.network)
    except CustodyError as error:
        findings.append(refuse_claim(error.code, where, f"its descriptor: {error.message}"))
        return None
    if statement.vault_id not in (None, vault.vault_id):
        message = f"its vault_id is `{statement.vault_id}`, its descriptor's is `{vault.vault_id}`"
        findings.append(refuse_claim(Code.VAULT_MISMATCH, where, message))
    if known is not None and vault.vault_id != known.vault_id:
        findings.append(_other_vault(vault.vault_id, known, where))
    return vault


def _other_vault(vault_id: str | None, known: KnownVault, where: str) -> Finding:
    message = f"it is for vault `{vault_id}`, you gave the descriptor of `{known.vault_id}`"
    advice = (
        "Don't count it as the vault that you know; a statement of another holder is verified without that descriptor."
    )
    return refuse_claim(Code.VAULT_MISMATCH, where, message, advice)


def _places(statement: Statement, vault: KnownVault, where: str, findings: list[Finding]) -> dict[bytes, Place]:
    paid = [claim.address for _one, claim in payment_claims([statement])]
    places = vault.places(statement.addresses, paid)
    for claim in statement.addresses:
        try:
            ours = script_of(claim.address, vault.network) in places
        except CustodyError:
            continue
        if not ours:
            at = f" at {claim.branch} {claim.index}" if claim.branch is not None else ""
            message = f"`{claim.address}` is not the descriptor's address{at}, by both engines"
            findings.append(refuse_claim(Code.ADDRESS_NOT_OURS, where, message))
    return places


def _coin_findings(
    statement: Statement, scripts: Mapping[str, bytes], view: ReserveView, where: str
) -> Iterator[Finding]:
    outputs = view.outputs
    for coin in statement.coins:
        seen = outputs.get(coin.outpoint)
        if seen is None or coin.address not in scripts:
            message = f"coin `{coin.outpoint}` was not unspent at a claimed address at the block"
        elif seen.script_pubkey != scripts[coin.address]:
            message = f"coin `{coin.outpoint}` lies at another address than `{coin.address}`"
        elif seen.value != coin.value:
            message = f"coin `{coin.outpoint}` has {seen.value} sat, not {coin.value}"
        else:
            continue
        yield refuse_claim(Code.RESERVE_COIN_UNKNOWN, where, message)
    claimed = frozenset(scripts.values())
    held = sum(coin.value for coin in view.coins if coin.script_pubkey in claimed)
    listed = sum(coin.value for coin in statement.coins)
    if not held == listed == statement.total:
        message = (
            f"it says {format_btc(statement.total)} BTC and lists coins of {format_btc(listed)} BTC; "
            f"its addresses held {format_btc(held)} BTC at the block"
        )
        yield refuse_claim(Code.RESERVE_TOTAL_DIFFERS, where, message, "Rely on the last number alone; ask the holder.")


def _proof_findings(
    statement: Statement,
    rulings: Sequence[ProofRuling],
    scripts: Mapping[str, bytes],
    places: Mapping[bytes, Place] | None,
    where: str,
) -> Iterator[Finding]:
    for proof, ruling in zip(statement.proofs, rulings, strict=True):
        what = f"the {proof.kind} proof for `{proof.addresses[0]}`"
        if ruling.verdict is MessageVerdict.INVALID:
            yield refuse_claim(Code.RESERVE_PROOF_INVALID, where, f"{what}: {ruling.reason}")
        elif ruling.verdict is MessageVerdict.INCONCLUSIVE:
            yield _unjudged(where, f"{what}: {ruling.reason}")
        elif ruling.paid_script is not None and places is None:
            yield _unjudged(where, f"{what} is judged by the vault's descriptor alone, which is not here")
        elif ruling.paid_script is not None and places is not None and ruling.paid_script not in places:
            yield refuse_claim(Code.RESERVE_PROOF_INVALID, where, f"{what} pays to an address that is not the vault's")
        elif not {scripts.get(address) for address in proof.addresses} <= ruling.scripts:
            yield refuse_claim(Code.RESERVE_PROOF_INVALID, where, f"{what} is said to be for more addresses than it is")
        if ruling.is_valid and (ruling.lock_time or ruling.sequence):
            yield warn_of(
                Code.RESERVE_TIME_LOCKED,
                where,
                f"{what} holds from lock time {ruling.lock_time} and age {ruling.sequence} on, not before",
                "Ask who else can spend the coins until then.",
            )


def _proven(
    statement: Statement,
    rulings: Sequence[ProofRuling],
    claimed: frozenset[bytes],
    places: Mapping[bytes, Place] | None,
) -> frozenset[bytes]:
    """Return the claimed scripts whose keys are proven.

    A payment counts with the vault's descriptor alone, and then for every address of the vault: the same keys.
    """
    proven: set[bytes] = set()
    for proof, ruling in zip(statement.proofs, rulings, strict=True):
        if proof.kind is not ProofKind.PAYMENT:
            proven |= ruling.scripts
        elif (
            ruling.is_valid and places is not None and ruling.paid_script in places and ruling.scripts <= places.keys()
        ):
            proven |= places.keys()
    return frozenset(proven & claimed)


def _is_proved(
    statement: Statement, scripts: Mapping[str, bytes], missing: Sequence[str], open_question: bool
) -> bool | None:
    if not missing and scripts and len(scripts) == len({one.address for one in statement.addresses}):
        return True
    return None if open_question else False


def _unproven(missing: Sequence[str], where: str) -> Finding:
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    message = f"nothing proves the keys of `{missing[0]}`{more}"
    return refuse_claim(Code.RESERVE_PROOF_MISSING, where, message, "Ask the holder for its proof.")


def _unjudged(where: str, message: str) -> Finding:
    advice = "It is neither valid nor invalid: judge it with a node of your own or a newer version."
    return warn_of(Code.RESERVE_UNJUDGED, where, message, advice)
