"""What the vault held at a challenge's block, the proofs of it to sign, and the statement that is handed out.

The holder's own node says which block is active and what was unspent there. A statement leaves only after our own
verification, the one that any auditor runs, called it valid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.audit.reserves.challenge import Challenge, require_timely
from custody.audit.reserves.prove import (
    SIGNED_ROUTES,
    SIGNS_COINS,
    Held,
    HeldCoin,
    Route,
    UnsignedProof,
    finished_proofs,
    is_about,
    require_all_signed,
    statement_of,
    unsigned_proofs,
    with_signatures,
)
from custody.audit.reserves.statement import Proof, Statement
from custody.audit.reserves.verify import Reserve, ReservesVerdict
from custody.audit.state import State
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import ChainUnavailable, CheckFailed, InvalidInput, refusals
from custody.ports import ChainBackend, Progress
from custody.spend.review_model import Place
from custody.vault.vault import Vault
from custody.workflow.sync_coins import MARGIN, WINDOW, watch_request, window_of
from custody.workflow.verify_reserves import seen_coins, verify_reserves
from custody.workflow.write_challenge import seen_block


@dataclass(frozen=True, slots=True)
class Attested:
    """A statement that is ready to be handed out, and what our own verification said of it."""

    statement: Statement
    verdict: ReservesVerdict
    signers: tuple[str, ...]
    """Cosigners whose signatures stand in any proof, in the vault's order."""


def require_answerable(vault: Vault, challenge: Challenge, backend: ChainBackend, max_age: int | None) -> None:
    """Refuse a challenge that is for another network, or whose block our own node judges to be wrong or old.

    Raises:
        InvalidInput: NETWORK_MISMATCH. CheckFailed: BLOCK_ORPHANED, BLOCK_TOO_SHALLOW, HEIGHT_STALE.
    """
    if challenge.network is not vault.network:
        raise InvalidInput(
            Code.NETWORK_MISMATCH,
            f"the challenge is for network `{challenge.network}`, the vault is on `{vault.network}`",
            advice="Ask the auditor for a challenge on the vault's network.",
        )
    require_timely(challenge, seen_block(backend, challenge), max_age=max_age)


def held_at(vault: Vault, state: State | None, challenge: Challenge, backend: ChainBackend, progress: Progress) -> Held:
    """Return every coin that the vault held right after the challenge's block, from the set of unspent outputs.

    The window is as for a sync, and grows until no coin lies near its end. `state` is the workspace's, where
    there is one: what it handed out lies within the window.

    Raises:
        ChainUnavailable: the backend can't answer for that block.
    """
    receive, change = (WINDOW, WINDOW) if state is None else window_of(state)
    while True:
        request = watch_request(vault, receive, change)
        places = {one.script_pubkey: Place(one.branch, one.index) for one in request.scripts}
        seen = seen_coins(backend, challenge, frozenset(places), progress)
        found = [places[one.script_pubkey] for one in seen]
        last = [max((at.index for at in found if at.branch == branch), default=-1) for branch in (0, 1)]
        wider = (max(receive, last[0] + 1 + MARGIN), max(change, last[1] + 1 + MARGIN))
        if wider == (receive, change):
            break
        receive, change = wider
    return Held(tuple(HeldCoin(one, places[one.script_pubkey]) for one in seen))


def proofs_to_sign(
    vault: Vault, challenge: Challenge, held: Held, route: Route, backend: ChainBackend
) -> tuple[UnsignedProof, ...]:
    """Build the unsigned proofs of a route; the coins' transactions are fetched where it signs coins.

    Raises:
        ChainUnavailable: TRANSACTION_UNKNOWN, a pruned block. CheckFailed: RESERVE_EMPTY.
    """
    previous: dict[str, Transaction] = {}
    for coin in held.coins if route in SIGNS_COINS else ():
        txid = coin.seen.outpoint.txid
        if txid not in previous:
            previous[txid] = backend.transaction(txid, backend.block_hash_at(coin.seen.height))
    return unsigned_proofs(vault, challenge, held, route, previous)


def finish_reserves(
    vault: Vault,
    challenge: Challenge,
    held: Held,
    returned: Sequence[tuple[str, bytes]],
    route: Route | None,
    *,
    disclose_descriptor: bool,
    backend: ChainBackend,
    progress: Progress,
    max_age: int | None,
    unsigned: Sequence[tuple[str, bytes]] = (),
) -> Attested:
    """Take the signatures of the returned files, and make the statement once every proof has its threshold.

    `unsigned` are files that lay beside them: without a `route` they say it where nothing is signed yet.

    Raises:
        NotYet: SIGNATURES_MISSING, with who is awaited for which address.
        CheckFailed: a file is about something else, a signature is wrong, or our own verification refuses.
    """
    taken, proofs = _proofs_for(vault, challenge, held, [*returned, *unsigned], route, backend)
    signed = with_signatures(vault, proofs, returned)
    progresses = require_all_signed(vault, proofs, signed)
    names = {name for one in progresses for input_signers in one.per_input for name in input_signers}
    return attest(
        vault,
        challenge,
        held,
        finished_proofs(vault, taken, proofs, signed),
        signers=tuple(one.name for one in vault.cosigners if one.name in names),
        disclose_descriptor=disclose_descriptor,
        backend=backend,
        progress=progress,
        max_age=max_age,
    )


def attest(
    vault: Vault,
    challenge: Challenge,
    held: Held,
    proofs: Sequence[Proof],
    *,
    signers: tuple[str, ...] | None = None,
    disclose_descriptor: bool,
    backend: ChainBackend,
    progress: Progress,
    max_age: int | None,
) -> Attested:
    """Make the statement, and verify it as an auditor would, with our own node; `signers` None: as it finds them.

    Raises:
        CheckFailed: the verification refuses. ChainUnavailable: it can't be told here.
    """
    statement = statement_of(vault, challenge, held, proofs, disclose_descriptor=disclose_descriptor)
    verdict = verify_reserves(backend, [statement], [challenge], progress, max_age=max_age)
    refused = refusals(verdict.findings)
    if refused:
        raise CheckFailed(
            refused[0].code,
            f"our own verification refuses the statement: {refused[0].message}",
            advice="Nothing was written. " + refused[0].advice,
            details={"findings": [finding.to_json() for finding in verdict.findings]},
        )
    if verdict.result is not Reserve.VALID:
        raise ChainUnavailable(
            Code.RESERVE_UNJUDGED,
            "our own verification can't judge the statement with this node",
            advice="Nothing was written. Use a node that has the payment's block.",
            details={"findings": [finding.to_json() for finding in verdict.findings]},
        )
    return Attested(statement, verdict, _named(vault, verdict) if signers is None else signers)


def _named(vault: Vault, verdict: ReservesVerdict) -> tuple[str, ...]:
    """Return the cosigners whose keys the verification found, where the descriptor is disclosed."""
    found = set(verdict.statements[0].signers or ())
    return tuple(one.name for one in vault.cosigners if one.key.origin.fingerprint.hex() in found)


def _proofs_for(
    vault: Vault,
    challenge: Challenge,
    held: Held,
    returned: Sequence[tuple[str, bytes]],
    route: Route | None,
    backend: ChainBackend,
) -> tuple[Route, tuple[UnsignedProof, ...]]:
    """Return the route that the files are about, and its proofs built anew."""
    tried = SIGNED_ROUTES if route is None else (route,)
    for one in tried:
        proofs = proofs_to_sign(vault, challenge, held, one, backend)
        if any(is_about(proofs, data) for _name, data in returned):
            return one, proofs
    return tried[0], proofs_to_sign(vault, challenge, held, tried[0], backend)
