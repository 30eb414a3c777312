"""The second engine: the same questions, answered by other people's code.

Scripts and addresses come from libwally, which reads the descriptor's text by itself;
transaction ids come from python-bitcoinlib, segwit v0 signature hashes from both: libwally's
for all inputs of a transaction in linear time, python-bitcoinlib's for one at a time. Neither
shares code with the first engine, and this module takes and returns plain text, bytes and
integers only. Two engines that agree can still be wrong together about what a descriptor
means; that is what the published vectors are for.

Both libraries are imported where they are used, so that nobody pays for them who doesn't
ask. python-bitcoinlib's global chain parameters are never touched: its addresses are not
used. libwally is one check beside another, never the only judge.
"""

import warnings
from collections.abc import Sequence
from typing import Protocol, cast

from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput

MAX_INDEX = 2**31 - 1
_WITNESS_V0 = 1
"""python-bitcoinlib's SIGVERSION_WITNESS_V0."""
_SHARED_HASHES = 16
"""Room for the hashes that libwally keeps between the inputs of one transaction."""


_ADDRESSES: dict[tuple[str, Network, int, int, int], tuple[str, ...]] = {}
"""What libwally derived for a text, by branch, start and count: it depends on nothing else, and each takes 0.2 ms."""
_KEPT = 16
"""Answers that are kept; the oldest goes first."""


class _Wally(Protocol):
    """The part of libwally's Python module that is used here."""

    WALLY_MINISCRIPT_REQUIRE_CHECKSUM: int
    WALLY_NETWORK_BITCOIN_MAINNET: int
    WALLY_NETWORK_BITCOIN_TESTNET: int
    WALLY_NETWORK_BITCOIN_REGTEST: int
    WALLY_NO_CODESEPARATOR: int
    WALLY_SIGTYPE_SW_V0: int

    def descriptor_parse(self, text: str, variables: None, network: int, flags: int) -> object: ...

    def descriptor_get_num_paths(self, parsed: object) -> int: ...

    def descriptor_to_script(
        self, parsed: object, depth: int, part: int, variant: int, path: int, index: int, flags: int
    ) -> bytes: ...

    def descriptor_to_address(self, parsed: object, variant: int, path: int, index: int, flags: int) -> str: ...

    def descriptor_to_addresses(
        self, parsed: object, variant: int, path: int, start: int, flags: int, count: int
    ) -> list[str]: ...

    def addr_segwit_from_bytes(self, script: bytes, hrp: str, flags: int) -> str: ...

    def scriptpubkey_to_address(self, script: bytes, network: int) -> str: ...

    def tx_from_bytes(self, raw: bytes, flags: int) -> object: ...

    def tx_get_num_inputs(self, transaction: object) -> int: ...

    def map_init(self, size: int, verify: None) -> object: ...

    def map_add_integer(self, into: object, key: int, value: bytes) -> None: ...

    def tx_get_input_signature_hash(
        self,
        transaction: object,
        index: int,
        scripts: None,
        assets: None,
        values: object,
        script: bytes,
        key_version: int,
        codesep_position: int,
        annex: None,
        genesis_block_hash: None,
        sighash: int,
        flags: int,
        cache: object,
    ) -> bytes: ...


class SecondOpinion:
    """A descriptor as libwally reads it. Made once and asked many times."""

    __slots__ = ("_network", "_parsed", "_text", "_wally", "_witness_depth", "branch_count")

    def __init__(self, descriptor_text: str, network: Network) -> None:
        """Parse `descriptor_text`, whose checksum must be there and right.

        Raises:
            InvalidInput: DESCRIPTOR_INVALID, libwally does not read it (for this network).
        """
        self._wally = _load_wally()
        self._network = network
        self._text = descriptor_text
        try:
            self._parsed = self._wally.descriptor_parse(
                descriptor_text,
                None,
                _wally_network(self._wally, network),
                self._wally.WALLY_MINISCRIPT_REQUIRE_CHECKSUM,
            )
        except ValueError as cause:
            raise _refused("the second engine does not read this descriptor") from cause
        self.branch_count: int = self._wally.descriptor_get_num_paths(self._parsed)
        # wsh(sortedmulti(…)) nests the multisig one level down, sh(wsh(…)) two.
        self._witness_depth = 2 if descriptor_text.startswith("sh(") else 1

    def script_pubkey_at(self, branch_position: int, index: int) -> bytes:
        """Return the output script at `index` of the multipath's value number `branch_position`."""
        return self._script(0, branch_position, index)

    def witness_script_at(self, branch_position: int, index: int) -> bytes:
        """Return the witness script; as `script_pubkey_at`."""
        return self._script(self._witness_depth, branch_position, index)

    def address_at(self, branch_position: int, index: int) -> str:
        """Return the address; as `script_pubkey_at`."""
        self._check(branch_position, index)
        if index == MAX_INDEX:
            return self._address_of(self.script_pubkey_at(branch_position, index))
        try:
            return self._wally.descriptor_to_address(self._parsed, 0, branch_position, index, 0)
        except ValueError as cause:
            raise _refused("the second engine derives no address here") from cause

    def addresses(self, branch_position: int, start: int, count: int) -> list[str]:
        """Return `count` addresses from index `start` on, in one call."""
        if count == 0:
            return []
        self._check(branch_position, start)
        self._check(branch_position, start + count - 1)
        if start + count - 1 == MAX_INDEX:
            # libwally counts one further than it derives, and refuses addresses where that index would be hardened.
            return [*self.addresses(branch_position, start, count - 1), self.address_at(branch_position, MAX_INDEX)]
        known = (self._text, self._network, branch_position, start, count)
        if known not in _ADDRESSES:
            try:
                found = self._wally.descriptor_to_addresses(self._parsed, 0, branch_position, start, 0, count)
            except ValueError as cause:
                raise _refused("the second engine derives no addresses here") from cause
            if len(_ADDRESSES) >= _KEPT:
                _ADDRESSES.pop(next(iter(_ADDRESSES)))
            _ADDRESSES[known] = tuple(found)
        return list(_ADDRESSES[known])

    def _script(self, depth: int, branch_position: int, index: int) -> bytes:
        self._check(branch_position, index)
        try:
            return bytes(self._wally.descriptor_to_script(self._parsed, depth, 0, 0, branch_position, index, 0))
        except ValueError as cause:
            raise _refused("the second engine derives no script here") from cause

    def _address_of(self, script_pubkey: bytes) -> str:
        if self._witness_depth == 1:
            return self._wally.addr_segwit_from_bytes(script_pubkey, self._network.hrp, 0)
        return self._wally.scriptpubkey_to_address(script_pubkey, _wally_network(self._wally, self._network))

    def _check(self, branch_position: int, index: int) -> None:
        if not 0 <= branch_position < self.branch_count or not 0 <= index <= MAX_INDEX:
            raise InvalidInput(
                Code.INDEX_OUT_OF_RANGE,
                f"branch {branch_position} with index {index} lies outside the descriptor",
                advice="Use a branch that the descriptor names and an index below 2147483648.",
            )


def script_pubkey_at(descriptor_text: str, branch_position: int, index: int, network: Network) -> bytes:
    """Return one output script from a descriptor with checksum; for many, use `SecondOpinion`."""
    return SecondOpinion(descriptor_text, network).script_pubkey_at(branch_position, index)


def witness_script_at(descriptor_text: str, branch_position: int, index: int, network: Network) -> bytes:
    """Return one witness script; as `script_pubkey_at`."""
    return SecondOpinion(descriptor_text, network).witness_script_at(branch_position, index)


def address_at(descriptor_text: str, branch_position: int, index: int, network: Network) -> str:
    """Return one address; as `script_pubkey_at`. On regtest it carries regtest's prefix."""
    return SecondOpinion(descriptor_text, network).address_at(branch_position, index)


def require_same_scripts(first: Sequence[bytes], second: Sequence[bytes], *, what: str) -> None:
    """Demand that two engines gave the same scripts for `what`, in the same order.

    Raises:
        CheckFailed: ENGINES_DISAGREE, with the first position at which they differ.
    """
    if len(first) != len(second):
        raise _disagree(f"{what}: the engines gave {len(first)} and {len(second)} scripts")
    for position, (ours, theirs) in enumerate(zip(first, second, strict=True)):
        if ours != theirs:
            raise _disagree(f"{what}, position {position}: the engines gave `{ours.hex()}` and `{theirs.hex()}`")


def txid_of(raw_transaction: bytes) -> str:
    """Return the txid, as displayed, of a serialized transaction.

    Raises:
        InvalidInput: MALFORMED_TRANSACTION, python-bitcoinlib does not read it.
    """
    from bitcoin.core import CTransaction
    from bitcoin.core.serialize import SerializationError

    try:
        transaction_id = bytes(CTransaction.deserialize(raw_transaction).GetTxid())
    except SerializationError as cause:
        raise _transaction_refused() from cause
    return transaction_id[::-1].hex()


def segwit_v0_sighash(
    raw_unsigned_transaction: bytes, input_index: int, script_code: bytes, value: int, sighash_type: int
) -> bytes:
    """Return the 32-byte digest that a signature of segwit version 0 signs.

    `script_code` is the witness script, without its length; `value` is in satoshis.

    Raises:
        InvalidInput: MALFORMED_TRANSACTION, or there is no such input.
    Source: BIP 143.
    """
    from bitcoin.core import CMutableTransaction, CTransaction
    from bitcoin.core.script import CScript, SignatureHash
    from bitcoin.core.serialize import SerializationError

    try:
        transaction = CMutableTransaction.from_tx(CTransaction.deserialize(raw_unsigned_transaction))
    except SerializationError as cause:
        raise _transaction_refused() from cause
    if not 0 <= input_index < len(transaction.vin):
        raise _transaction_refused()
    # The library packs the lock time as a signed number, which fails from the year 2038 on;
    # the same four bytes as a negative number pass.
    if transaction.nLockTime >= 2**31:
        transaction.nLockTime -= 2**32
    digest = SignatureHash(
        CScript(script_code), transaction, input_index, sighash_type, amount=value, sigversion=_WITNESS_V0
    )
    return bytes(digest)


def segwit_v0_sighashes(
    raw_unsigned_transaction: bytes, spent: Sequence[tuple[bytes, int]], sighash_type: int
) -> list[bytes]:
    """Return libwally's digest for every input, in order, at a cost linear in their number.

    `spent` holds, for each input, the witness script without its length and the value in satoshis.

    Raises:
        InvalidInput: MALFORMED_TRANSACTION, or `spent` is not one entry for each input.
    Source: BIP 143.
    """
    wally = _load_wally()
    try:
        transaction = wally.tx_from_bytes(raw_unsigned_transaction, 0)
        if wally.tx_get_num_inputs(transaction) != len(spent):
            raise _transaction_refused()
        values = wally.map_init(len(spent), None)
        for number, (_, value) in enumerate(spent):
            wally.map_add_integer(values, number, value.to_bytes(8, "little"))
        # What all inputs share is hashed once and kept here. INVARIANT: one cache, one transaction, one type.
        cache = wally.map_init(_SHARED_HASHES, None)
        fixed = (0, wally.WALLY_NO_CODESEPARATOR, None, None, sighash_type, wally.WALLY_SIGTYPE_SW_V0, cache)
        return [
            bytes(wally.tx_get_input_signature_hash(transaction, number, None, None, values, script, *fixed))
            for number, (script, _) in enumerate(spent)
        ]
    except (ValueError, OverflowError) as cause:
        raise _transaction_refused() from cause


def _load_wally() -> _Wally:
    # Loading libwally's module warns about its own types. Where warnings are errors (as under
    # `python -W error`), it would come up half made and crash the interpreter at its end.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import wallycore

    return cast(_Wally, wallycore)


def _wally_network(wally: _Wally, network: Network) -> int:
    """Return libwally's number of the network; it has one for all public test networks."""
    numbers = {
        Network.MAIN: wally.WALLY_NETWORK_BITCOIN_MAINNET,
        Network.REGTEST: wally.WALLY_NETWORK_BITCOIN_REGTEST,
    }
    return numbers.get(network, wally.WALLY_NETWORK_BITCOIN_TESTNET)


def _refused(message: str) -> InvalidInput:
    return InvalidInput(
        Code.DESCRIPTOR_INVALID, message, advice="Check the descriptor and its network; report it if both are right."
    )


def _transaction_refused() -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_TRANSACTION,
        "the second engine does not read this transaction",
        advice="Get the transaction again from its source.",
    )


def _disagree(message: str) -> CheckFailed:
    return CheckFailed(
        Code.ENGINES_DISAGREE, message, advice="Don't use these addresses; report the descriptor to the developers."
    )
