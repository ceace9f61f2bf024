"""Organs of one name are told apart; a name that is unique stays as it is."""

from __future__ import annotations

from warehouse.organ_names import shown_names

CITY = [("R", "示例市人民政府", None), ("A", "甲县人民政府", "R"), ("B", "乙县人民政府", "R")]


def test_a_name_shared_in_two_counties_is_written_with_its_county() -> None:
    shown = shown_names(
        [*CITY, ("A1", "城关镇人民政府", "A"), ("B1", "城关镇人民政府", "B"), ("B2", "东镇", "B")]
    )
    assert shown["A1"] == "甲县城关镇人民政府"
    assert shown["B1"] == "乙县城关镇人民政府"
    assert shown["B2"] == "东镇"
    assert shown["A"] == "甲县人民政府"


def test_what_its_county_does_not_tell_apart_is_written_with_its_id() -> None:
    shown = shown_names(
        [*CITY, ("A1", "城关镇", "A"), ("A2", "城关镇", "A"), ("B1", "城关镇", "B")]
    )
    assert shown["A1"] == "甲县城关镇(A1)"
    assert shown["A2"] == "甲县城关镇(A2)"
    assert shown["B1"] == "乙县城关镇"


def test_as_many_levels_are_named_as_it_takes() -> None:
    shown = shown_names(
        [
            *CITY,
            ("A1", "城关镇人民政府", "A"),
            ("B1", "城关镇人民政府", "B"),
            ("A11", "卫生院", "A1"),
            ("B11", "卫生院", "B1"),
        ]
    )
    assert (shown["A11"], shown["B11"]) == ("甲县城关镇卫生院", "乙县城关镇卫生院")


def test_two_without_an_organ_above_are_written_with_their_ids() -> None:
    shown = shown_names([("X", "某局", None), ("Y", "某局", "gone")])
    assert shown == {"X": "某局(X)", "Y": "某局(Y)"}
    assert len(set(shown.values())) == 2
