"""Payees by the name of an allowlist entry: resolved here, once, to the address that everybody then sees.

A name is never guessed at: what is no entry in force is taken for an address and checked as one. An
entry with a descriptor is paid at its first receive address that no transaction of ours has paid yet.
"""

from dataclasses import replace

from custody.audit.state import State
from custody.bitcoin.address import script_of
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Conflict
from custody.people.allowlist import SEARCHED, AllowEntry
from custody.spend.draft import Payee


def resolve_payees(state: State, payees: tuple[Payee, ...]) -> tuple[Payee, ...]:
    """Return the payees with every name replaced by its address.

    Raises:
        Conflict: DESTINATION_EXHAUSTED, every address of a named descriptor was paid.
    """
    allowed = state.governance.allowlist
    used: set[bytes] = set()
    resolved = []
    for payee in payees:
        entry = allowed.get(payee.address)
        if entry is None:
            resolved.append(payee)
            continue
        used = used or _paid_scripts(state)
        address = _address_of(entry.entry, used, state.network)
        used.add(script_of(address, state.network))
        resolved.append(replace(payee, address=address))
    return tuple(resolved)


def _address_of(entry: AllowEntry, used: set[bytes], network: Network) -> str:
    if entry.address is not None:
        return entry.address
    for index in range(SEARCHED):
        address = entry.address_at(index, network)
        if script_of(address, network) not in used:
            return address
    raise Conflict(
        Code.DESTINATION_EXHAUSTED,
        f"every one of the first {SEARCHED} addresses of `{entry.name}` was paid",
        advice="Ask for a new descriptor, and put it on the allowlist in the place of this one.",
    )


def _paid_scripts(state: State) -> set[bytes]:
    """Return every script that a transaction of ours paid, or that a proposal is to pay."""
    paid = {output.script_pubkey for seen in state.transactions.values() for output in seen.outputs}
    return paid | {
        output.script_pubkey
        for record in state.proposals.values()
        for output in record.proposal.unsigned_transaction.outputs
    }
