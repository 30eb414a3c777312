"""Every device profile gives a page: what it says follows from the profile, and nothing is claimed of a stranger."""

import pytest

from custody.spend.card import ANY_DEVICE
from custody_hardware.card_devices import card_device
from custody_hardware.device_profiles import MODELS, load_profiles

PROFILES = load_profiles()


@pytest.mark.parametrize("model", MODELS)
def test_every_profile_says_what_to_do_and_what_comes_back(model: str) -> None:
    device, profile = card_device(PROFILES, model), PROFILES[model]
    assert device.steps
    said = " ".join(step.format(file="F.psbt", cosigner="ann") for step in device.steps)
    assert "{" not in said + device.answer.format(stem="F")
    if model == "other":
        assert device == ANY_DEVICE
        return
    assert device.model == profile.name
    assert device.reads_cards == (profile.card is not None)
    if profile.card is None:
        assert "signs no file from a card" in said
        assert not device.takes_base64
    else:
        assert "take F.psbt" in said
        for name in profile.card.writes:
            assert name.replace("{base}", "F").replace("*", "…") in device.answer.format(stem="F")


def test_nothing_is_claimed_of_a_device_that_nobody_described() -> None:
    for described in (None, "other", "sold-in-2031"):
        assert card_device(PROFILES, described) is ANY_DEVICE
