"""Converters that name their output after the input unless a second operand does: pdftotext, pdftops. Facts: poppler 22.12."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join, parent_of, stem_of
from pytest_cbx.effects.values import Field, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_ENDINGS = {"pdftotext": ".txt", "pdftops": ".ps"}
_BY_OPTION = {"-htmlmeta": ".html", "-bbox": ".html", "-bbox-layout": ".html", "-tsv": ".tsv", "-eps": ".eps"}


def converted(call: Call) -> None:
    """`pdftotext PDF [TEXT]`: reads the first, writes the second, or beside the first."""
    operands = call.parsed.operands
    for operand in operands[:1]:
        call.touch(Kind.READ, operand)
    for operand in operands[1:2]:
        call.touch(Kind.WRITE, operand)
    for operand in operands[2:]:
        call.doubt(f"more operands than the catalogue lists: {operand.text}")
    if len(operands) == 1 and operands[0].text != "-":
        ending = next((end for option, end in _BY_OPTION.items() if call.given(option)), _ENDINGS.get(call.name, ""))
        beside = join(parent_of(operands[0]), concat([stem_of(operands[0]), Field(ending)]))
        call.touch(Kind.WRITE, beside, why="named after the input")
