"""Whatever a worker writes, it is an answer of the right shape or none; nothing else happens."""

import json

from hypothesis import given
from hypothesis import strategies as st

from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import DeviceUnavailable
from custody_hardware import hwi_answers
from custody_hardware.hwi_errors import Reported, explain

TEXTS = st.text('aZ0{}"\\\u202e\x1b\x00é', max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.dictionaries(st.sampled_from(("answer", "error", "ask", "psbt", "xpub", "token")), VALUES, max_size=3)
DEVICES = st.lists(
    st.dictionaries(
        st.sampled_from(("path", "model", "label", "fingerprint", "firmware", "error")), VALUES, min_size=5, max_size=6
    ),
    max_size=3,
)


@given(line=st.binary(max_size=200) | MEMBERS.map(lambda value: json.dumps(value).encode()))
def test_a_line_is_a_reply_or_none(line: bytes) -> None:
    try:
        reply = hwi_answers.read_reply(line, "jade")
    except DeviceUnavailable as error:
        assert error.code is Code.DEVICE_ANSWER_INVALID
    else:
        assert reply.asks in (None, "pin", "passphrase")


@given(answer=VALUES | DEVICES)
def test_an_answer_is_read_or_refused(answer: object) -> None:
    for read in (
        lambda: hwi_answers.found_devices(answer, "jade"),  # type: ignore[arg-type]
        lambda: hwi_answers.key_in(answer, (), Network.MAIN),  # type: ignore[arg-type]
        lambda: hwi_answers.address_in(answer),  # type: ignore[arg-type]
        lambda: hwi_answers.registered_in(answer),  # type: ignore[arg-type]
        lambda: hwi_answers.psbt_in(answer),  # type: ignore[arg-type]
    ):
        try:
            read()
        except DeviceUnavailable as error:
            assert error.code is Code.DEVICE_ANSWER_INVALID


@given(
    driver=st.sampled_from(("jade", "ledger", "trezor", "unknown")),
    kind=TEXTS,
    hwi=st.none() | st.integers(-20, 2),
    number=st.none() | st.integers(),
    errno=st.none() | st.integers(0, 200),
    text=TEXTS,
)
def test_every_error_has_words_and_none_of_the_drivers(
    driver: str, kind: str, hwi: int | None, number: int | None, errno: int | None, text: str
) -> None:
    error = explain(Reported(driver, kind, hwi, number, errno, text)).to_error()
    assert error.exit_code in (3, 5, 8)
    assert error.message.isprintable() and error.advice.endswith(".")
