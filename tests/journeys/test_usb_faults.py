"""What goes wrong with a hardware wallet while it signs a payment: each fault its own words and exit code.

Nothing of a failed try is written but that the PSBT left, and the next try works. The device is a double
behind HWI's own driver, the payment one on the embedded chain.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from custody.codes import Code
from custody.errors import CustodyError
from custody.spend.review_model import ReviewLimits
from custody.vault.cosigner import Cosigner
from custody.workflow.device_key import prove_device
from custody.workflow.office import Surroundings, editing, open_office
from custody.workflow.sign_proposal import Added, hand_over, take_back
from custody.workspace.layout import Workspace
from custody_hardware.hwi_bus import TimeLimits
from support.hwi_bench import PATIENT, Bench
from support.rehearsal import Rehearsal, stranger

IMPATIENT = replace(PATIENT, sign=8)


class Fixed:
    """A clock and a source of ids that never change."""

    def now(self) -> int:
        return 1_767_300_000

    def nonce(self) -> str:
        return "ab" * 16


class Desk:
    """A payment of two coins that a Coldcard and a simulator are to sign."""

    def __init__(self, folder: Path) -> None:
        self.rehearsal = Rehearsal(folder / "vault")
        self.rehearsal.fund(3)
        self.proposal = self.rehearsal.draft("--to", f"{stranger(1)}=70btc")
        self.bench = Bench(folder / "bench")
        self.path = self.bench.plug("coldcard", 1)
        self.workspace = Workspace(self.rehearsal.folder)
        vault = self.rehearsal.vault
        device, _ = prove_device(self.bench.bus(), vault, self.cosigner)
        self.registration = self.bench.bus().register(device, vault, "rehearsal")

    @property
    def cosigner(self) -> Cosigner:
        return self.rehearsal.vault.cosigners[0]

    def sign(self, *, limits: TimeLimits = PATIENT) -> Added:
        """Hand the payment over, let the device sign, and take it back, as the command does."""
        surroundings = Surroundings(Fixed(), Fixed(), None)
        vault, bus = self.rehearsal.vault, self.bench.bus(limits=limits)
        device, compared = prove_device(bus, vault, self.cosigner)
        assert compared
        named = self.proposal["proposal_id"]
        with editing(self.workspace, surroundings) as desk:
            handed = hand_over(desk, named, self.cosigner, given_acks=(), limits=ReviewLimits())
        returned = bus.sign(device, vault, handed.psbt, self.registration)
        with editing(self.workspace, surroundings) as desk:
            return take_back(desk, handed, returned, device_name="coldcard")

    def refuses(self, code: Code, exit_code: int, *, limits: TimeLimits = PATIENT) -> CustodyError:
        """Sign, which has to fail so, and write no signature; then mend the device and sign."""
        with pytest.raises(CustodyError) as caught:
            self.sign(limits=limits)
        assert (caught.value.code, caught.value.exit_code) == (code, exit_code), caught.value.message
        assert self.signatures() == 0
        return caught.value

    def works(self) -> None:
        """Sign, and see one signature on every input."""
        assert self.sign().new_signatures == 2
        assert self.signatures() == 2

    def signatures(self) -> int:
        """Return how many signatures the journal holds."""
        state = open_office(self.workspace).state
        return len(state.proposals[self.proposal["proposal_id"]].signatures)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


MENDED = {"trouble": None, "signs": "well", "other_keys": False, "passphrase": ""}


@pytest.mark.parametrize(
    ("at", "what", "code", "words"),
    [
        ("sign", "unplug", Code.DEVICE_ABSENT, "broke off"),
        ("key", "unplug", Code.DEVICE_ABSENT, "broke off"),
        ("sign", "refuse", Code.DEVICE_REFUSED, "said no"),
        ("sign", "busy", Code.DEVICE_BUSY, "at work for somebody else"),
        ("sign", "crash", Code.DEVICE_ANSWER_INVALID, "killed by signal 11"),
        ("open", "permission", Code.DEVICE_PERMISSION, "may not open it"),
    ],
)
def test_a_fault_has_its_own_words_and_the_next_try_works(
    desk: Desk, at: str, what: str, code: Code, words: str
) -> None:
    desk.bench.disturb(desk.path, at, what, stays=at == "open")
    error = desk.refuses(code, 8)
    assert words in error.message
    assert error.advice
    desk.bench.change(desk.path, **MENDED)
    desk.works()


def test_a_device_that_hangs_is_given_up(desk: Desk) -> None:
    desk.bench.disturb(desk.path, "sign", "hang")
    error = desk.refuses(Code.DEVICE_TIMEOUT, 8, limits=IMPATIENT)
    assert "8 s" in error.message
    desk.works()


@pytest.mark.parametrize(
    ("signs", "code", "exit_code"),
    [
        ("changed", Code.DIFFERENT_TRANSACTION, 3),
        ("another input", Code.BAD_SIGNATURE, 3),
        ("garbage", Code.BAD_SIGNATURE, 3),
        ("as a stranger", Code.SIGNER_NOT_MEMBER, 3),
        ("not at all", Code.DEVICE_NO_SIGNATURE, 8),
    ],
)
def test_what_comes_back_is_judged_and_refused_whole(desk: Desk, signs: str, code: Code, exit_code: int) -> None:
    desk.bench.change(desk.path, signs=signs)
    desk.refuses(code, exit_code)
    desk.bench.change(desk.path, **MENDED)
    desk.works()


def test_a_trimmed_psbt_is_good_enough(desk: Desk) -> None:
    desk.bench.change(desk.path, signs="trimmed")
    desk.works()


def test_another_passphrase_is_another_fingerprint(desk: Desk) -> None:
    desk.bench.change(desk.path, passphrase="another horse")
    error = desk.refuses(Code.DEVICE_ABSENT, 8)
    other = desk.bench.bus().look(desk.rehearsal.vault.network).devices[0].fingerprint
    assert other is not None and other.hex() in str(error)
    desk.bench.change(desk.path, **MENDED)
    desk.works()


def test_another_device_in_its_place_is_found_out(desk: Desk) -> None:
    desk.bench.change(desk.path, seed=9)
    desk.refuses(Code.DEVICE_ABSENT, 8)
    desk.bench.change(desk.path, seed=1)
    desk.works()


def test_a113_a_device_with_the_fingerprint_and_another_key_signs_nothing(desk: Desk) -> None:
    desk.bench.change(desk.path, other_keys=True)
    desk.refuses(Code.DEVICE_KEY_MISMATCH, 3)
    desk.bench.change(desk.path, **MENDED)
    desk.works()


def test_two_alike_are_told_and_none_is_asked(desk: Desk) -> None:
    twin = desk.bench.plug("jade", 1)
    desk.refuses(Code.DEVICE_AMBIGUOUS, 8)
    desk.bench.unplug(twin)
    desk.works()


@pytest.mark.parametrize(
    ("what", "code", "advice"),
    [
        ("library", Code.DEVICE_LIBRARY_MISSING, "libusb-1.0-0"),
        ("permission", Code.DEVICE_PERMISSION, "70-custody-signers.rules"),
    ],
)
def test_a_driver_that_cannot_look_says_what_is_missing(desk: Desk, what: str, code: Code, advice: str) -> None:
    desk.bench.spoil_driver("coldcard", what)
    error = desk.refuses(code, 8)
    assert advice in error.advice
    desk.bench.spoil_driver("coldcard", None)
    desk.works()


def test_the_finished_payment_is_taken_by_the_chain(desk: Desk) -> None:
    desk.works()
    desk.rehearsal.send(desk.proposal, 2)
    desk.rehearsal.mine(1)
    desk.rehearsal.json(["coins", "sync"])
    assert desk.rehearsal.show(desk.proposal)["state"] == "mined"
