"""The pages about devices say what the profiles say, and that nobody here tried a device."""

import re
from pathlib import Path

import pytest

from custody_hardware.device_profiles import MODELS, load_profiles
from support.device_table import BEGIN, END, PAGE, PAGES, page_facts, tables

STEPS = ("Set up", "Export the key", "Register", "Show an address", "Sign", "What it can't do", "Not verified")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def facts_on(path: Path) -> str:
    return text_of(path).split(BEGIN)[1].split(END)[0].strip()


def test_the_tables_of_devices_are_made_from_the_profiles() -> None:
    assert facts_on(PAGE) == tables()


@pytest.mark.parametrize("model", MODELS)
def test_each_models_page_has_its_facts(model: str) -> None:
    page = PAGES / f"{model}.md"
    assert facts_on(page) == page_facts(model)
    assert text_of(page).startswith(f"# {load_profiles()[model].name}\n")


@pytest.mark.parametrize("model", MODELS)
def test_each_page_leads_through_every_step_and_says_what_is_not_verified(model: str) -> None:
    headings = re.findall(r"^## (.+)$", text_of(PAGES / f"{model}.md"), re.MULTILINE)
    expected = STEPS if load_profiles()[model].refused is None else ("What to do", "Not verified")
    assert headings == list(expected)


@pytest.mark.parametrize("model", [one for one in MODELS if one != "simulator"])
def test_each_page_of_a_device_says_that_nobody_here_had_one(model: str) -> None:
    assert "Nobody here had" in text_of(PAGES / f"{model}.md")


def test_no_page_is_about_a_model_that_is_none() -> None:
    pages = {path.stem for path in PAGES.glob("*.md")} - {"README", "commands", "seen", "udev", "usb"}
    assert pages == set(MODELS)
