"""Converters that name their output after the input unless a second operand does. Facts: poppler 22.12, Ghostscript 10."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join, parent_of, stem_of
from pytest_cbx.effects.values import TAME, UNKNOWN, Field, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_BESIDE = {"pdftotext": ".txt", "pdftops": ".ps"}
"""These put it beside the input, with that ending; the others into the working directory, with one of several."""
_BY_OPTION = {"-htmlmeta": ".html", "-bbox": ".html", "-bbox-layout": ".html", "-tsv": ".tsv", "-eps": ".eps"}


def converted(call: Call) -> None:
    """`pdftotext PDF [TEXT]`: reads the first, writes the second, or what is named after the first."""
    operands = call.parsed.operands
    for operand in operands[:1]:
        call.touch(Kind.READ, operand)
    for operand in operands[1:2]:
        call.touch(Kind.WRITE, operand)
        if call.name == "pdftocairo":
            call.touch(Kind.WRITE, concat([operand, TAME]), why="with the number of a page")
    for operand in operands[2:]:
        call.doubt(f"more operands than the catalogue lists: {operand.text}")
    if len(operands) == 1 and operands[0].text != "-" and not call.given("-o"):
        _named_after(call, operands[0])


def _named_after(call: Call, file: Field) -> None:
    ending = _BESIDE.get(call.name)
    if ending is None:
        call.touch(Kind.WRITE, concat([stem_of(file), TAME]), why="named after the input")
        return
    ending = next((end for option, end in _BY_OPTION.items() if call.given(option)), ending)
    call.touch(Kind.WRITE, join(parent_of(file), concat([stem_of(file), Field(ending)])), why="named after the input")


_MANY = frozenset({"burst", "unpack_files"})


def pdftk(call: Call) -> None:
    """`pdftk [NAME=]PDF… OPERATION [WORD…] [output FILE] [WORD…]`: only what stands right behind `output` is written."""
    words = call.parsed.operands
    place = next((index for index, word in enumerate(words) if word.text == "output"), None)
    many = any(word.text in _MANY for word in words)
    for word in words if place is None else words[:place]:
        if not word.known or "." in word.text or "/" in word.text:
            call.touch(Kind.READ, word.after(2) if word.text[1:2] == "=" else word)
    if place is None:
        if any(not word.known for word in words):
            call.touch(Kind.WRITE, UNKNOWN, why="a word may be `output`")
        if many:
            call.touch(Kind.WRITE, Field("."), "children", "a file for each page or attachment")
        return
    for target in words[place + 1 : place + 2]:
        if "burst" in (word.text for word in words):
            call.touch(Kind.WRITE, parent_of(target), "children", "a file for each page")
            call.touch(Kind.WRITE, Field("doc_data.txt"))
        else:
            call.touch(Kind.WRITE, target, "tree" if many else "path")
