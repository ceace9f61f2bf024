"""Applications for disclosure: three years of them, balanced from year to year.

Each year is made from its parts (outcomes, kinds of applicant, cases open at its end), so the
totals follow at any scale. The planted defects are put in by month and organ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from deployments.demo_city.service.moments import DayDraw
from deployments.demo_city.service.organs import Organ, OrganDraw, Organs
from deployments.demo_city.service.totals import APPLICATIONS, ApplicationYear, scaled
from deployments.demo_city.service.workdays import add_working_days, working_days_between

ANSWER_DAYS = 20
EXTENSION_DAYS = 20

# These outcomes follow a notice of correction, so they need time before the year ends.
_AFTER_CORRECTION_NOTICE = ("0403", "0601")
_NATURAL = "10"


@dataclass
class Application:
    organ: Organ
    received: date
    application_id: str = ""
    registered_number: str = ""
    applicant_kind: str = ""
    channel: str = "3"
    correction_requested: date | None = None
    corrected: date | None = None
    extended: date | None = None
    consulted: date | None = None
    consultation_answered: date | None = None
    consultation_days: int | None = None
    due: date | None = None
    closed: date | None = None
    outcome: str | None = None

    @property
    def year(self) -> int:
        return self.received.year

    def set_due(self) -> date:
        """The time limit: 20 working days, from the correction if there was one, plus the
        extension and the working days of consultation (条例第三十条、第三十三条)."""
        days = (
            ANSWER_DAYS + (EXTENSION_DAYS if self.extended else 0) + (self.consultation_days or 0)
        )
        self.due = add_working_days(self.corrected or self.received, days)
        return self.due

    def events(self) -> list[tuple[str, date]]:
        """The steps in the order of their dates."""
        steps = (
            ("SD", self.received),
            ("BZTZ", self.correction_requested),
            ("BZSD", self.corrected),
            ("ZQYJ", self.consulted),
            ("YJFH", self.consultation_answered),
            ("YQ", self.extended),
            ("BJ", self.closed),
        )
        return sorted(((kind, day) for kind, day in steps if day), key=lambda step: step[1])


def organ_weight(organ: Organ) -> float:
    """How many applications an organ gets, relative to others."""
    if organ.kind == "city":
        return 16
    if organ.kind == "township":
        return 0.6 if organ.has_system else 0.35
    if organ.kind == "department":
        return (3.2 if int(organ.organ_id[-2:]) in (6, 9, 11, 26, 27, 51) else 1.1) * (
            1.0 if organ.of_city else 0.5
        )
    return 5.0 if organ.kind == "county" else 2.0


class ApplicationBook:
    """All applications of the three years, in the order of receipt."""

    def __init__(self, seed: int, organs: Organs, scale: float) -> None:
        self._rng = Random(f"{seed}/applications")
        self._organs = organs
        self._scale = scale
        self._draw = OrganDraw(organs, self._rng, organ_weight)
        self.all: list[Application] = []
        self.withdrawn: list[Application] = []
        carried: list[Application] = []
        for year, wanted in APPLICATIONS.items():
            carried = self._year(year, wanted, carried)
        self._close_in_january(carried, APPLICATIONS[2021])
        self._number()
        self._register_twice()

    def _year(
        self, year: int, wanted: ApplicationYear, carried_in: list[Application]
    ) -> list[Application]:
        """Add a year's applications; gives those open at its end."""
        outcomes: list[str | None] = [
            code for code, n in wanted.outcomes.items() for _ in range(scaled(n, self._scale))
        ]
        outcomes += [None] * len(wanted.without_outcome)
        open_count = scaled(wanted.open_at_end, self._scale)
        new_count = len(outcomes) + open_count - len(carried_in)
        days = DayDraw(self._rng, date(year, 1, 2), date(year, 12, 28), 0.12)
        late_days = DayDraw(self._rng, date(year, 12, 14), date(year, 12, 30), 0.05)
        closing = [self._receive(day) for day in days.many(new_count - open_count)]
        still_open = [self._receive(day) for day in late_days.many(open_count)]
        self._place_defects(closing, wanted)
        self._share_outcomes(year, carried_in, closing, outcomes)
        self._share_kinds(wanted, carried_in, closing, still_open)
        overdue = self._rng.sample(
            [
                a
                for a in closing
                if a.received < date(year, 10, 8) and a.organ.has_system and not a.organ.valid_to
            ],
            scaled(wanted.overdue, self._scale),
        )
        for application in closing:
            self._handle(application, late=any(application is a for a in overdue))
        for application in carried_in:
            self._answer(application, application.set_due(), date(year - 1, 12, 31))
        for application in still_open:
            application.set_due()
        self.all += sorted(closing + still_open, key=lambda a: a.received)
        return still_open

    def _receive(self, day: date) -> Application:
        organ = self._draw.pick(day)
        while organ.valid_to and (organ.valid_to - day).days < 12:
            # An organ about to be abolished closes its books; the next one is drawn.
            organ = self._draw.pick(day)
        channel = self._rng.choices(("3", "2", "1", "4", "9"), (62, 22, 12, 1, 3))[0]
        return Application(organ=organ, received=day, channel=channel)

    def _place_defects(self, closing: list[Application], wanted: ApplicationYear) -> None:
        """Choose who lacks a kind or an outcome: one application a month and organ named."""
        self._no_kind: list[Application] = []
        self._no_outcome: list[Application] = []
        for places, chosen in (
            (wanted.without_kind, self._no_kind),
            (wanted.without_outcome, self._no_outcome),
        ):
            for near, organ_id in places:
                taken = self._no_kind + self._no_outcome
                untaken = [a for a in closing if not any(a is t for t in taken)]
                distances = [abs((a.received - near).days) for a in untaken]
                application = untaken[distances.index(min(distances))]
                application.organ = self._organs.on(organ_id, application.received)
                chosen.append(application)

    def _share_outcomes(
        self,
        year: int,
        carried_in: list[Application],
        closing: list[Application],
        outcomes: list[str | None],
    ) -> None:
        with_outcome = [a for a in closing if not any(a is d for d in self._no_outcome)]
        codes = [code for code in outcomes if code is not None]
        self._rng.shuffle(codes)
        special = [code for code in codes if code in _AFTER_CORRECTION_NOTICE]
        ordinary = [code for code in codes if code not in _AFTER_CORRECTION_NOTICE]
        patient = [
            a for a in with_outcome if a.received < date(year, 10, 15) and not a.organ.valid_to
        ]
        for application, code in zip(self._rng.sample(patient, len(special)), special, strict=True):
            application.outcome = code
        rest = [a for a in with_outcome if a.outcome is None] + carried_in
        for application, code in zip(rest, ordinary, strict=True):
            application.outcome = code

    def _share_kinds(
        self,
        wanted: ApplicationYear,
        carried_in: list[Application],
        closing: list[Application],
        still_open: list[Application],
    ) -> None:
        """Kinds over new and carried-in together; those carried on get the common kinds."""
        known = [a for a in closing if not any(a is d for d in self._no_kind)]
        left = {k: scaled(n, self._scale) for k, n in wanted.organizations.items()}
        for application in carried_in:
            if application.applicant_kind in left:
                left[application.applicant_kind] = max(0, left[application.applicant_kind] - 1)
        for application in still_open:
            application.applicant_kind = _NATURAL
        if still_open:
            still_open[0].applicant_kind = "21"
            left["21"] -= 1
        kinds = [kind for kind, n in left.items() for _ in range(n)]
        kinds += [_NATURAL] * (len(known) - len(kinds))
        self._rng.shuffle(kinds)
        for application, kind in zip(known, kinds, strict=True):
            application.applicant_kind = kind

    def _handle(self, application: Application, late: bool) -> None:
        """Correction, consultation, extension, answer."""
        rng, received = self._rng, application.received
        last = date(received.year, 12, 31)
        if application.organ.valid_to:
            last = add_working_days(application.organ.valid_to, 0)
        has_time = received < date(received.year, 10, 15) and not application.organ.valid_to
        follows_notice = application.outcome in _AFTER_CORRECTION_NOTICE
        if follows_notice or (has_time and rng.random() < 0.06):
            asked = add_working_days(received, rng.randint(2, 7))
            application.correction_requested = asked
            if application.outcome != "0601":
                application.corrected = add_working_days(asked, rng.randint(2, 10))
        if has_time and not follows_notice and rng.random() < 0.03:
            begun = add_working_days(application.corrected or received, rng.randint(1, 6))
            application.consulted = begun
            application.consultation_answered = add_working_days(begun, rng.randint(3, 14))
            application.consultation_days = working_days_between(
                begun, application.consultation_answered
            )
        due = application.set_due()
        if has_time and not follows_notice and rng.random() < 0.06:
            application.extended = add_working_days(due, -rng.randint(0, 3))
            due = application.set_due()
        if late:
            application.closed = add_working_days(due, rng.randint(1, 6))
        else:
            self._answer(application, min(due, last))

    def _answer(self, application: Application, last: date, after: date | None = None) -> None:
        """Close an application between its last step (or `after`) and `last`."""
        rng = self._rng
        steps = application.events()
        begun = max(steps[-1][1], after or steps[-1][1])
        if application.outcome == "0601":
            # The applicant was given ten working days and did not answer.
            begun = add_working_days(begun, 10)
        room = working_days_between(begun, last)
        if room <= 0:
            application.closed = max(last, begun)
            return
        quick = (application.outcome or "").startswith("05")
        share = rng.betavariate(2.0, 2.4) if quick else rng.betavariate(3.4, 1.8)
        application.closed = add_working_days(begun, max(1, min(room, round(room * share))))

    def _close_in_january(self, carried: list[Application], wanted: ApplicationYear) -> None:
        codes = [c for c in wanted.outcomes if c not in _AFTER_CORRECTION_NOTICE]
        weights = [wanted.outcomes[c] for c in codes]
        for application in carried:
            application.outcome = self._rng.choices(codes, weights)[0]
            self._answer(application, application.set_due(), date(2021, 12, 31))
            if application.closed and application.closed > date(2022, 1, 21):
                application.closed, application.outcome = None, None

    def _number(self) -> None:
        per_year: dict[int, int] = {}
        per_organ: dict[tuple[str, int], int] = {}
        self.all.sort(key=lambda a: a.received)
        for application in self.all:
            year, organ = application.year, application.organ
            place = (organ.organ_id, year)
            per_organ[place] = per_organ.get(place, 0) + 1
            application.registered_number = f"{organ.organ_id}-{year}-{per_organ[place]:03d}"
            if organ.has_system:
                per_year[year] = per_year.get(year, 0) + 1
                application.application_id = f"YSQ{year}-{per_year[year]:05d}"
            else:
                application.application_id = application.registered_number

    def _register_twice(self) -> None:
        """Two applications of each year were typed in twice and withdrawn within days."""
        for year in (2019, 2020, 2021):
            candidates = [
                a
                for a in self.all
                if a.year == year and a.organ.has_system and a.received.month < 11
            ]
            for at, twin in enumerate(self._rng.sample(candidates, 2)):
                number = 90001 + at
                self.withdrawn.append(
                    Application(
                        organ=twin.organ,
                        received=twin.received,
                        application_id=f"YSQ{year}-{number}",
                        registered_number=f"{twin.registered_number}-C",
                        applicant_kind=twin.applicant_kind,
                        channel=twin.channel,
                        due=add_working_days(twin.received, ANSWER_DAYS),
                    )
                )

    @staticmethod
    def withdrawn_on(application: Application) -> date:
        """When a second registration was noticed and withdrawn."""
        return application.received + timedelta(days=2)
