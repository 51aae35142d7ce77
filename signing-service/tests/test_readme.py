"""The README's table of settings is what settings.py says."""

from pathlib import Path

from signing_service.settings import SigningSettings

README = Path(__file__).parents[1] / "README.md"


def test_every_setting_is_in_the_table_with_its_default_and_nothing_else() -> None:
    lines = (line.split("|") for line in README.read_text().splitlines() if line.startswith("| `"))
    found = {cells[1].strip(" `"): cells[2:] for cells in lines if cells[1].strip(" `").isupper()}
    expected = {name.upper(): field for name, field in SigningSettings.model_fields.items()}
    assert set(found) == set(expected)
    for name, (default, description, *_) in found.items():
        field = expected[name]
        assert default.strip(" `") == ("required" if field.is_required() else str(field.default)), name
        assert description.strip() == field.description if field.description else description.strip(), name
