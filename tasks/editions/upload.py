"""The form that a province takes up: one row an organ, columns as the province names them.

Data of the city (`upload.yaml`), kept with editions; without it every printed cell is a column.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError, model_validator

from warehouse.declared import Declared, explained, parsed
from warehouse.errors import ConfigurationError
from warehouse.layout import Layout


class UploadError(ConfigurationError):
    """An upload file that cannot be used; the message names file and key."""


class UploadColumn(Declared):
    """A column: `name` as the province names it, and what stands in it: a cell, something of the
    organ, or a fixed text. `layouts`: only in reports of these."""

    name: str = Field(min_length=1)
    cell: str = ""
    organ: Literal["", "id", "name", "kind", "parent"] = ""
    text: str = ""
    layouts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> UploadColumn:
        if sum(map(bool, (self.cell, self.organ, self.text))) > 1:
            raise ValueError("cell、organ、text 只能写其一")
        return self


class UploadFile(Declared):
    """The form. `scope`: figures with the organs below (`rolled_up`) or without (`own`); `kinds`
    the kinds of organs that have a row, all where it is empty."""

    title: str = "各机关汇总表"
    scope: Literal["rolled_up", "own"] = "rolled_up"
    kinds: tuple[str, ...] = ()
    columns: tuple[UploadColumn, ...] = Field(min_length=1)


def upload_of(text: str | None, layout: Layout, place: str = "upload.yaml") -> UploadFile:
    """The upload form for a layout. Raises UploadError for a cell that the layout does not have."""
    if text is None:
        printed = [cell for table in layout.tables for cell in layout.printed(table.key)]
        titles = {table.key: table.title for table in layout.tables}
        organ = [
            UploadColumn(name="机关编号", organ="id"),
            UploadColumn(name="机关名称", organ="name"),
        ]
        cells = [
            UploadColumn(name=f"{titles[c.table]}·{c.full_label}", cell=c.key) for c in printed
        ]
        return UploadFile(columns=(*organ, *cells))
    try:
        declared = UploadFile.model_validate(parsed(text, place, UploadError))
    except ValidationError as error:
        raise UploadError(explained(place, error)) from error
    columns = tuple(c for c in declared.columns if not c.layouts or layout.name in c.layouts)
    for at, column in enumerate(columns):
        if column.cell and column.cell not in layout.cells:
            raise UploadError(
                f"{place}: columns.{at}.cell: 格式 {layout.name} 没有单元格 {column.cell}。"
                "只属于某些格式的列请写 layouts"
            )
    return declared.model_copy(update={"columns": columns})
