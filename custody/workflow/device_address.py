"""An address of the vault on the device's own screen, and its answer compared with ours.

The address is derived by both engines first. On `main` the device's answer must be ours byte for
byte. Most devices know one test network and show `tb1…` for all of them, so elsewhere the script
that the answer stands for must be ours.
Pains 11 and 12: a driver or device that shows another address without an error.
"""

from dataclasses import dataclass

from custody.bitcoin.address import address_of, script_of
from custody.bitcoin.network import Network
from custody.bitcoin.second_opinion import require_same_scripts, script_pubkey_at
from custody.codes import Code
from custody.errors import CustodyError
from custody.ports import FoundDevice, Registration, SignerBus
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody.workflow.device_record import mismatch

_TEST_NETWORKS = tuple(network for network in Network if not network.is_main)
_LONGEST_ANSWER = 120
ENDING = 6
"""Characters of an address that a holder types off the screen, where a device is checked by files."""


@dataclass(frozen=True, slots=True)
class ShownAddress:
    """An address that a device was asked to show."""

    branch: int
    index: int
    address: str
    """As the vault has it, derived by both engines."""
    on_screen: tuple[str, ...]
    """How devices write it on this network: more than one way on test networks."""
    answered: str | None
    """What the device says that it showed; None where it says nothing."""


def derive_address(vault: Vault, branch: int, index: int) -> ShownAddress:
    """Derive an address with both engines, and how a device may write it.

    Raises:
        CheckFailed: ENGINES_DISAGREE. InvalidInput: INDEX_OUT_OF_RANGE.
    """
    script = vault.deriver.at(branch, index).script_pubkey
    second = script_pubkey_at(vault.descriptor_text, branch, index, vault.network)
    require_same_scripts([script], [second], what=f"the address at branch {branch}, index {index}")
    address = vault.address_at(branch, index)
    networks = (vault.network,) if vault.network.is_main else (vault.network, *_TEST_NETWORKS)
    written = dict.fromkeys(text for one in networks if (text := address_of(script, one)) is not None)
    return ShownAddress(branch, index, address, tuple(written), None)


def show_address(
    bus: SignerBus,
    device: FoundDevice,
    vault: Vault,
    cosigner: Cosigner,
    *,
    wanted: ShownAddress,
    registration: Registration | None,
) -> ShownAddress:
    """Let the device show `wanted`, compare what it answers, and return it.

    Raises:
        CheckFailed: DEVICE_ADDRESS_MISMATCH. DeviceUnavailable: what the bus raises.
    """
    answer = bus.show_address(device, vault, wanted.branch, wanted.index, registration)
    if not answer:
        return wanted
    require_same_address(vault, cosigner, wanted, answer)
    return ShownAddress(wanted.branch, wanted.index, wanted.address, wanted.on_screen, answer)


def require_same_address(vault: Vault, cosigner: Cosigner, wanted: ShownAddress, answer: str) -> None:
    """Demand that `answer` is the wanted address: to the byte on `main`, its script elsewhere.

    Raises:
        CheckFailed: DEVICE_ADDRESS_MISMATCH.
    """
    if answer == wanted.address or (not vault.network.is_main and _script(answer) == _script(wanted.address)):
        return
    # What is no address may be anything, a secret too: it is neither shown nor journalled.
    got = answer if _script(answer, tuple(Network)) is not None else "something that is no address"
    raise mismatch(
        Code.DEVICE_ADDRESS_MISMATCH,
        f"the device of `{cosigner.name}` says that it showed `{got}`, the vault has `{wanted.address}`",
        cosigner=cosigner.name,
        what="address",
        expected=wanted.address,
        got=got,
    )


def require_same_ending(cosigner: Cosigner, wanted: ShownAddress, typed: str) -> None:
    """Demand that what a holder typed off the screen is the end of the wanted address, `ENDING` characters.

    The end is the same however a test network's address begins, but for the checksum: each way counts.

    Raises:
        CheckFailed: DEVICE_ADDRESS_MISMATCH.
    """
    endings = {text[-ENDING:] for text in wanted.on_screen}
    if typed.lower() in {ending.lower() for ending in endings}:
        return
    got = typed if len(typed) <= _LONGEST_ANSWER and typed.isascii() and typed.isprintable() else "something else"
    raise mismatch(
        Code.DEVICE_ADDRESS_MISMATCH,
        f"the device of `{cosigner.name}` shows an address that ends in `{got}`, the vault's ends in "
        f"`{wanted.address[-ENDING:]}`",
        cosigner=cosigner.name,
        what="address",
        expected=wanted.address,
        got=f"…{got}",
    )


def _script(address: str, networks: tuple[Network, ...] = _TEST_NETWORKS) -> bytes | None:
    """Return the script of an address of one of the networks, None where it is none."""
    for network in networks:
        try:
            return script_of(address, network)
        except CustodyError:
            continue
    return None
