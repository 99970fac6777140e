"""Is a file JUnit XML, as those who read it take it?"""

from __future__ import annotations

from pathlib import Path

import xmlschema

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


def wrong_in(file: Path) -> list[str]:
    """What a validator finds wrong, with the place; nothing in a valid file."""
    return [f"{error.path}: {error.reason}" for error in SCHEMA.iter_errors(file)]
