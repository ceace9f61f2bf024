"""What a province's figures are made of: the organs and figures of its cities' editions, as they
stand in a snapshot of the province's lake."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.editions.edition import CellValue, Organ, Scope
from tasks.editions.store.cities import TakenEdition, taken_editions, taken_figures
from warehouse.lake import Connection
from warehouse.layout import Layout
from warehouse.period import Period

Figures = dict[str, CellValue]
ABSENT = CellValue(None)
MOST_NAMED = 40
"""Cells that are asked for by name; of more all are read."""


@dataclass
class FiguresOfCities:
    """The figures of the cities' editions by (organ, scope), organs as the province knows them,
    and what each city's edition has of last year, by city."""

    cells: dict[tuple[str, Scope], Figures] = field(default_factory=dict)
    last_year: dict[str, Figures] = field(default_factory=dict)


def known_as(taken: TakenEdition, organ_id: str) -> str:
    """What an organ of a city is called by in the province: its code after the city's, as two
    cities may number theirs alike; the city itself by its code in the province."""
    is_city = organ_id == taken.organs[0].id
    return taken.city_id if is_city else f"{taken.city_id}.{organ_id}"


def organs_below_cities(
    connection: Connection, form: str, period: Period
) -> dict[str, list[Organ]]:
    """The organs of each city's edition but the city itself, by the city's code."""
    return {
        taken.city_id: [
            Organ(
                known_as(taken, organ.id),
                organ.name,
                organ.kind,
                known_as(taken, organ.parent_id or taken.organs[0].id),
                organ.has_system,
            )
            for organ in taken.organs[1:]
        ]
        for taken in taken_editions(connection, form, period.key)
    }


def read_city_figures(connection: Connection, layout: Layout, period: Period) -> FiguresOfCities:
    """The figures of all cities' editions of a report under a layout of the province. What a city's
    edition does not have is missing."""
    found = FiguresOfCities()
    few = list(layout.cells) if len(layout.cells) <= MOST_NAMED else []
    for taken in taken_editions(connection, layout.gathers, period.key):
        figures: dict[tuple[str, Scope], Figures] = {
            (known_as(taken, organ.id), scope): {}
            for organ in taken.organs
            for scope in ("own", "rolled_up")
        }
        places = {organ.id: known_as(taken, organ.id) for organ in taken.organs}
        for organ, scope, key, figure in taken_figures(connection, taken, few):
            if key in layout.cells:
                figures[(places[organ], scope)][key] = figure
        for place, told in figures.items():
            found.cells[place] = {key: told.get(key, ABSENT) for key in layout.cells}
        found.last_year[taken.city_id] = {
            key: figure for key, figure in taken.last_year.items() if key in layout.cells
        }
    return found
