"""What is done about 核对问题: answered, sent to an organ, urged, handed over, given back.

Each is a step that is added to the trail of a matter or of the edition, by the one signed in.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from tasks.desk.matters import Matter, MatterRefused, Matters, edition_matter
from tasks.people import trail as kept
from tasks.people.office import Office
from tasks.people.trail import Step
from tasks.settings import Settings

LONGEST = 2000
"""Characters of an answer."""


def act(
    settings: Settings,
    matters: Matters,
    matter: Matter,
    what: str,
    *,
    said: str,
    by: str,
    seen: int,
    now: datetime,
) -> int:
    """Write an answer, take it back, note an organ's reply, urge it; `seen` is the newest step that
    whoever acts was shown. Raises MatterRefused, Overtaken, OfficeError."""
    _check_open(matters)
    said = said.strip()
    if what in (kept.ANSWERED, kept.REPLIED) and not said:
        wanted = "为什么可以带着这个问题发布" if what == kept.ANSWERED else "机关回复的内容"
        raise MatterRefused(f"请填写{wanted}")
    if len(said) > LONGEST:
        raise MatterRefused(f"写得太长:最多 {LONGEST} 个字")
    if what == kept.TAKEN_BACK and matter.answer is None:
        raise MatterRefused("这一条没有答复可以撤回")
    if what == kept.ANSWERED and not matter.blocks:
        raise MatterRefused("这一条不阻断发布,不用答复")
    edition = matters.edition
    with Office(settings.home).change() as connection:
        kept.check_not_overtaken(connection, edition.form.key, edition.period.key, matter.key, seen)
        step = _step(matters, matter.key, what, by, now, said=said, organ_id=matter.organ_id)
        return kept.add(connection, step)


def send(
    settings: Settings,
    matters: Matters,
    organ_id: str,
    *,
    by: str,
    due_on: date | None,
    now: datetime,
) -> str:
    """Keep that an organ was sent a letter about its matters; returns the letter's number.

    Raises MatterRefused, OfficeError.
    """
    _check_open(matters)
    of = matters.of_organ(organ_id)
    if not of:
        raise MatterRefused("这个机关没有要处理的核对问题")
    if due_on is None:
        raise MatterRefused("请填写约定的日期,写作 2021-02-26")
    if due_on < now.date():
        raise MatterRefused(f"约定的日期 {due_on} 已经过去,请填今天或以后的日期")
    with Office(settings.home).change() as connection:
        letter = kept.next_letter(connection, matters.edition.id)
        for matter in of:
            step = _step(matters, matter.key, kept.SENT, by, now, organ_id=organ_id)
            kept.add(connection, replace(step, letter=letter, due_on=due_on))
    return letter


def hand_over(settings: Settings, matters: Matters, *, by: str, now: datetime) -> None:
    """Hand an edition over to be approved. Raises MatterRefused while something is not settled."""
    _check_open(matters)
    if matters.handed_over is not None:
        step = matters.handed_over
        raise MatterRefused(f"{step.person} {step.done_at:%Y-%m-%d %H:%M} 已送批准")
    open_ = [m for m in matters.blocking if not m.state.is_settled]
    if open_:
        raise MatterRefused(f"还有 {len(open_)} 条没有了结,不能送批准")
    if matters.mended:
        raise MatterRefused(
            f"有 {len(matters.mended)} 条已改正,重新编制才会计入。请重新编制,再把新的版次送批准"
        )
    if matters.edition.is_trial:
        raise MatterRefused("试编的版次不能送批准。请在年度结束并取数之后重新编制")
    with Office(settings.home).change() as connection:
        kept.add(
            connection,
            _step(matters, edition_matter(matters.edition.id), kept.HANDED_OVER, by, now),
        )


def give_back(settings: Settings, matters: Matters, *, by: str, said: str, now: datetime) -> None:
    """Give an edition back to its builder, and say what is asked. Raises MatterRefused."""
    _check_open(matters)
    said = said.strip()
    if not said:
        raise MatterRefused("请写明请编制人做什么")
    if len(said) > LONGEST:
        raise MatterRefused(f"写得太长:最多 {LONGEST} 个字")
    with Office(settings.home).change() as connection:
        key = edition_matter(matters.edition.id)
        kept.add(connection, _step(matters, key, kept.RETURNED, by, now, said=said))


def _check_open(matters: Matters) -> None:
    if not matters.may_act:
        raise MatterRefused(
            f"版次 {matters.edition.id} 已经发布或被后来的版次替代,只能看。请打开待发布的版次"
        )


def _step(
    matters: Matters,
    matter: str,
    what: str,
    by: str,
    now: datetime,
    *,
    said: str = "",
    organ_id: str = "",
) -> Step:
    edition = matters.edition
    return Step(
        edition.form.key,
        edition.period.key,
        matter,
        what,
        by,
        now.replace(microsecond=0),
        edition.id,
        said,
        organ_id,
    )
