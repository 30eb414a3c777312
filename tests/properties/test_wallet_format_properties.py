"""Over random vaults: every format brings the vault back, and no changed character brings another one back unseen."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.errors import CustodyError
from custody.vault.cosigner import Cosigner
from custody.vault.formats.detect import VaultFormat, detect_format
from custody.vault.formats.registry import WRITERS, ImportTerms, read_vault, write_vault
from custody.vault.vault import Vault
from support.random_vaults import random_descriptor


@st.composite
def vaults(draw: st.DrawFn) -> Vault:
    key_count = draw(st.integers(1, 15))
    rng = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311
    network = draw(st.sampled_from(Network))
    descriptor = random_descriptor(
        rng,
        network,
        script_type=draw(st.sampled_from(ScriptType)),
        threshold=draw(st.integers(1, key_count)),
        key_count=key_count,
    )
    cosigners = tuple(Cosigner(f"holder-{number}", key) for number, key in enumerate(descriptor.keys, start=1))
    return Vault(draw(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True)), network, descriptor, cosigners)


@settings(max_examples=60, deadline=None)
@given(vault=vaults())
def test_every_format_brings_every_vault_back(vault: Vault) -> None:
    for kind in WRITERS:
        data = write_vault(vault, kind).encode()
        assert detect_format(data) is kind
        returned, _remarks = read_vault(data, ImportTerms(vault.name, vault.network))
        assert returned.vault_id == vault.vault_id


@settings(max_examples=300, deadline=None)
@given(
    vault=vaults(),
    kind=st.sampled_from(sorted(WRITERS)),
    place=st.floats(0, 1, exclude_max=True),
    character=st.characters(min_codepoint=32, max_codepoint=126),
)
def test_a_changed_character_is_refused_or_changes_nothing_but_facts_that_stand_once(
    vault: Vault, kind: VaultFormat, place: float, character: str
) -> None:
    """Key material never changes unseen: base58 has a checksum. Quorum, origin and script may stand once only."""
    text = write_vault(vault, kind)
    at = int(place * len(text))
    changed = text[:at] + character + text[at + 1 :]
    try:
        returned, _remarks = read_vault(changed.encode(), ImportTerms(vault.name, vault.network))
    except CustodyError as refused:
        assert refused.exit_code in (2, 6)
        return
    before = {(key.key.public_key, key.key.chain_code) for key in vault.descriptor.keys}
    assert {(key.key.public_key, key.key.chain_code) for key in returned.descriptor.keys} == before


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=400),
    start=st.sampled_from(["", "{", "[", "addwallet a&", "BSMS 1.0\n", "Policy: 1 of 1\n"]),
)
def test_no_content_is_more_than_refused(data: bytes, start: str) -> None:
    try:
        read_vault(start.encode() + data, ImportTerms("x", Network.REGTEST))
    except CustodyError as refused:
        assert refused.exit_code in (2, 6)
