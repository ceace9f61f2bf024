"""What a form's own file may say (`form.yaml`): the vocabulary of declarations.

`warehouse/forms/annual-report/form.yaml` explains it by example; `warehouse/form.py` reads it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from warehouse.declared import Declared

ANNUAL_REPORT = "annual-report"
"""The form that is meant where none is named."""


class Deadline(Declared):
    """A statutory day of the year after the report year; `notice` is where it comes from."""

    month: int = Field(ge=1, le=12)
    day: int = Field(ge=1, le=31)
    what: str
    notice: str = ""


class Section(Declared):
    """A section in print: the figures of the narrative, tables of the layout, or words: a part
    (`words`) of the form's narrative file, or what `prompt` asks to be written. `joined` prints its
    tables as one, a group of rows each; they are then of the kind `list`."""

    heading: str
    figures: bool = False
    words: Literal["", "general", "problems", "others"] = ""
    tables: tuple[str, ...] = ()
    joined: bool = False
    prompt: str = ""


class Check(Declared):
    """A check of the form's tables beyond those of `expectations/yearly.yaml`: what it is called,
    how grave it is, what to do. Its equations are in the layouts, under its code."""

    code: str = Field(pattern=r"^[A-Z]{1,3}\d{1,2}$")
    severity: Literal["block", "warn"]
    title: str = Field(min_length=1)
    message: str = Field(min_length=1)
    article: str = ""


class FormFile(Declared):
    """A form. `edition_prefix` begins the ids of its editions, by default its key.

    `span_title` and `span_short_title` are what it is called over a month, a quarter or any other
    span than a year; without them it is called the same.

    `overview` names the city's file of narrative figures and local rows, if the form has any;
    `narrative` the file of its words, in its folder and in the city's;
    `filed` the tables whose cells organs file themselves; `records` the core tables whose
    rules bear on it, by default all of them; `checks` its own checks.
    """

    key: str = Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
    title: str = Field(min_length=1)
    short_title: str = Field(min_length=1)
    span_title: str = ""
    span_short_title: str = ""
    edition_prefix: str | None = Field(default=None, pattern=r"^([a-z][a-z0-9-]*-)?$")
    deadlines: tuple[Deadline, ...] = ()
    overview: str | None = Field(default=None, pattern=r"^[\w-]+\.yaml$")
    narrative: str | None = Field(default=None, pattern=r"^[\w-]+\.yaml$")
    filed: tuple[str, ...] = ()
    records: tuple[str, ...] | None = None
    checks: tuple[Check, ...] = ()
    sections: tuple[Section, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _own_ids(self) -> FormFile:
        if self.edition_prefix == "" and self.key != ANNUAL_REPORT:
            raise ValueError(
                f"edition_prefix: 只有年度报告的版次编号不带前缀;请删去这一行,或写成如 {self.key}-"
            )
        return self

    @property
    def prefix(self) -> str:
        """What the ids of its editions begin with."""
        return f"{self.key}-" if self.edition_prefix is None else self.edition_prefix
