"""Over random vaults: three implementations agree, text comes back, one changed character is refused."""

import random

import pytest
from embit.descriptor import Descriptor as EmbitDescriptor
from embit.networks import NETWORKS
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.bitcoin.curve import is_low_s, is_strict_der, verify_ecdsa
from custody.bitcoin.derivation import ScriptDeriver
from custody.bitcoin.descriptor import Descriptor, ScriptType, join_branches
from custody.bitcoin.descriptor_checksum import CHARACTERS
from custody.bitcoin.keys import KeyExpression, format_path, parse_path
from custody.bitcoin.network import Network
from custody.bitcoin.second_opinion import SecondOpinion
from custody.errors import InvalidInput
from support.random_vaults import random_descriptor

# libwally gives a script and no address at the very last index, 2**31 - 1; the command then refuses.
INDEXES = st.one_of(st.integers(0, 100), st.integers(0, 2**31 - 2))
_EMBIT_NETWORKS = {Network.MAIN: "main", Network.TESTNET4: "test", Network.SIGNET: "signet", Network.REGTEST: "regtest"}


@st.composite
def vaults(draw: st.DrawFn, most_keys: int = 15) -> tuple[Descriptor, Network]:
    key_count = draw(st.integers(1, most_keys))
    threshold = draw(st.integers(1, key_count))
    network, script_type = draw(st.sampled_from(Network)), draw(st.sampled_from(ScriptType))
    rng = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311
    return random_descriptor(rng, network, script_type=script_type, threshold=threshold, key_count=key_count), network


@settings(max_examples=60, deadline=None)
@given(vault=vaults(), branch=st.integers(0, 1), index=INDEXES)
def test_first_engine_libwally_and_embit_give_one_script(
    vault: tuple[Descriptor, Network], branch: int, index: int
) -> None:
    descriptor, network = vault
    text = descriptor.to_text(network)
    ours, libwally = ScriptDeriver(descriptor), SecondOpinion(text, network)
    embit = EmbitDescriptor.from_string(text).derive(index, branch_index=branch)
    derived, address = ours.at(branch, index), ours.address_at(branch, index, network)
    assert derived.script_pubkey == libwally.script_pubkey_at(branch, index) == embit.script_pubkey().data
    assert derived.witness_script == libwally.witness_script_at(branch, index) == embit.witness_script().data
    assert address == libwally.address_at(branch, index)
    assert address == embit.script_pubkey().address(NETWORKS[_EMBIT_NETWORKS[network]])


@settings(max_examples=60, deadline=None)
@given(vault=vaults())
def test_a_descriptor_s_text_comes_back(vault: tuple[Descriptor, Network]) -> None:
    descriptor, network = vault
    text = descriptor.to_text(network)
    receive, change = (Descriptor.parse(descriptor.single_branch_text(branch, network), network) for branch in (0, 1))
    assert Descriptor.parse(text, network) == descriptor
    assert Descriptor.parse(text, network).to_text(network) == text
    assert join_branches(receive, change) == descriptor
    for expression in descriptor.keys:
        assert KeyExpression.parse(expression.to_text(network), network) == expression


@settings(max_examples=200, deadline=None)
@given(vault=vaults(most_keys=3), place=st.integers(0, 10_000), character=st.sampled_from(CHARACTERS))
def test_one_changed_character_is_refused(vault: tuple[Descriptor, Network], place: int, character: str) -> None:
    descriptor, network = vault
    text = descriptor.to_text(network)
    position = place % len(text)
    changed = text[:position] + character + text[position + 1 :]
    if changed != text:
        with pytest.raises(InvalidInput):
            Descriptor.parse(changed, network)


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet=CHARACTERS + "é\n", max_size=80))
def test_any_text_is_refused_in_our_own_words(text: str) -> None:
    for read in (Descriptor.parse, KeyExpression.parse):
        with pytest.raises(InvalidInput):
            read(text, Network.MAIN)


@settings(max_examples=200, deadline=None)
@given(path=st.lists(st.integers(0, 2**32 - 1), max_size=10).map(tuple))
def test_a_path_s_text_comes_back(path: tuple[int, ...]) -> None:
    assert parse_path(format_path(path)) == path


@settings(max_examples=300, deadline=None)
@given(key=st.binary(max_size=40), digest=st.binary(max_size=40), der=st.binary(max_size=80))
def test_verification_never_raises_on_junk(key: bytes, digest: bytes, der: bytes) -> None:
    assert not verify_ecdsa(key, digest, der)
    assert is_strict_der(der) or not is_low_s(der)
