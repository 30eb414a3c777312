"""The pages about devices say what the profiles say."""

from support.device_table import BEGIN, END, PAGE, tables


def test_the_tables_of_devices_are_made_from_the_profiles() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.split(BEGIN)[1].split(END)[0].strip() == tables()
