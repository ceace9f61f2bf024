"""The pages that write: findings, letters, corrections, builds, reports, approvals. Who may, who may
not, and what a form that is not ours comes to."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from flows.year_end import year_end
from tasks.audit.batch import write_batch
from tasks.audit.run import audit_files
from tasks.audit.uploads import AUDITED, REPORTS, batches
from tasks.city.corrections import entries, entry_of
from tasks.clock import now
from tasks.desk.building import STEPS
from tasks.desk.matters import matters_of
from tasks.editions.build import build_edition
from tasks.people import log
from tasks.people.office import Office
from tasks.people.persons import APPROVES, VIEWS, WORKS
from tasks.people.sessions import IDLE, sign_in
from tasks.settings import Settings
from tests.approving import code_at
from tests.desk_page import OWN, RUN, Prefect, browser, text_of, token_of
from tests.operator_room import PASSWORD, add_people
from tests.small_city import SmallCity
from warehouse.period import Period

PEOPLE = {"甲": WORKS, "乙": WORKS, "丙": APPROVES, "看": VIEWS}
HOSTILE = "<script>alert(1)</script>"
FINDINGS = "/desk/edition/2020-1/findings"


@dataclass
class Work:
    """A home with an edition that one record blocks, its people and their sessions."""

    settings: Settings
    record: str
    sessions: dict[str, str]
    prefect: Prefect

    def browser(self, name: str = "", **headers: str) -> TestClient:
        return browser(self.settings, self.prefect, self.sessions.get(name, ""), **headers)

    @property
    def new(self) -> str:
        place = f"record={self.record}&table=application&source=s"
        return f"/desk/correction/new?{place}&column=applicant_kind"

    def correction(self, **more: str) -> dict[str, str]:
        return {
            "record": self.record,
            "table": "application",
            "source": "s",
            "column": "applicant_kind",
            "expect": "-",
            "value": "natural_person",
            "reason": "申请表载明",
            "reported_by": "甲县东镇 公开岗",
            "ground": "来函",
            **more,
        }


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory, small_template: SmallCity
) -> tuple[Path, str, dict[str, str]]:
    root = tmp_path_factory.mktemp("work")
    city = small_template.copied_to(root / "bare")
    record = city.application("2020-03-02", "2020-03-09", applicant_kind=None)
    build_edition(city.lake, city.folder, Period.of_year(2020), now=now(), built_by="甲")
    shutil.copytree(root / "bare", root / "people")
    office = Office(root / "people" / "home")
    add_people(office.home, PEOPLE)
    moment = now()
    sessions = {
        name: sign_in(office, name, PASSWORD, code_at(moment), client="here", now=moment)
        for name in PEOPLE
    }
    return root, record, sessions


@pytest.fixture
def work(template: tuple[Path, str, dict[str, str]], tmp_path: Path) -> Work:
    """With people."""
    return _copied(template, tmp_path, "people")


@pytest.fixture
def demo(template: tuple[Path, str, dict[str, str]], tmp_path: Path) -> Work:
    """Nobody is configured."""
    return _copied(template, tmp_path, "bare")


def _copied(template: tuple[Path, str, dict[str, str]], tmp_path: Path, kind: str) -> Work:
    root, record, sessions = template
    tmp_path = tmp_path / kind
    shutil.copytree(root / kind, tmp_path)
    settings = Settings(home=tmp_path / "home", city=tmp_path / "city", port=4200)
    made = Work(settings, record, sessions if kind == "people" else {}, Prefect(settings))
    made.prefect.runs[RUN] = {"id": RUN, "name": "年终编制", "state": {"type": "RUNNING"}}
    return made


def send(client: TestClient, path: str, page: str = "", **told: str) -> Any:
    """Fill in a form of the page it stands on."""
    token = token_of(client.get(page or path).text)
    return client.post(path.partition("?")[0], data={"form_token": token, **told})


def acts(work: Work) -> list[tuple[str, str]]:
    lines = log.lines(Office(work.settings.home))
    return [
        (line.person, line.act) for line in reversed(lines) if line.act not in ("添加人员", "登录")
    ]


# ---- what everybody reads


READ = (
    FINDINGS,
    f"{FINDINGS}?by=organ",
    "/desk/edition/2020-1/transfer/A1",
    "/desk/corrections",
    "/desk/correction/new",
    "/desk/build",
    "/desk/build?edition=2020-1",
    "/desk/build?year=1&form=x&span=zzz",
    "/desk/audit",
    "/desk/approve/2020-1",
)
HOSTILE_ADDRESSES = (
    f"/desk/edition/{HOSTILE}/findings",
    f"/desk/edition/2020-1/transfer/{HOSTILE}",
    f"/desk/correction/new?record={HOSTILE}&table={HOSTILE}&source={HOSTILE}&column={HOSTILE}",
    f"/desk/correction/new?record={HOSTILE}",
    "/desk/correction/999999",
    "/desk/correction/99999999999999999999999",
    f"/desk/correction/preview/{HOSTILE}",
    f"/desk/building/{HOSTILE}",
    f"/desk/building/{RUN[:-1]}9",
    f"/desk/audit/{HOSTILE}",
    "/desk/audit/20200101-000000-00000000/page/../../x",
    f"/desk/build?reason={HOSTILE}&as_of={HOSTILE}&span={HOSTILE}&edition={HOSTILE}",
    f"/desk/approve/{HOSTILE}",
    f"{FINDINGS}?by={HOSTILE}",
)


def test_everybody_may_read_and_nothing_is_done_by_it(work: Work, demo: Work) -> None:
    for of, name in ((work, "看"), (work, "丙"), (demo, "")):
        client = of.browser(name)
        for path in READ:
            answer = client.get(path)
            assert answer.status_code == 200, (path, text_of(answer.text))
            if name == "看" and path != "/desk/correction/new":
                assert 'class="primary"' not in answer.text, path
        assert acts(of) == []
    for path in READ:
        assert work.browser("").get(path).headers["location"].startswith("/desk/sign-in"), path


def test_hostile_addresses_are_answered_in_words(work: Work) -> None:
    client = work.browser("甲")
    for path in HOSTILE_ADDRESSES:
        answer = client.get(path)
        assert answer.status_code < 500, path
        assert "<script>alert" not in answer.text, path


# ---- who may act

FORMS: list[tuple[str, str, dict[str, str]]] = [
    (f"{FINDINGS}/answer", FINDINGS, {"matter": "x", "said": "y"}),
    (f"{FINDINGS}/hand-over", FINDINGS, {}),
    (
        "/desk/edition/2020-1/transfer/A1",
        "/desk/edition/2020-1/transfer/A1",
        {"due_on": "2099-01-01"},
    ),
    ("/desk/correction/new", "/desk/corrections", {}),
    ("/desk/correction/preview", "/desk/corrections", {}),
    ("/desk/build", "/desk/build", {"year": "2020"}),
    (f"/desk/building/{RUN}/stop", "/desk/build", {}),
    ("/desk/audit", "/desk/audit", {}),
    (f"{FINDINGS}/return", FINDINGS, {"said": "z"}),
]


def filled_in(work: Work, path: str, told: dict[str, str], token: str) -> dict[str, str]:
    more = work.correction() if "correction" in path else {}
    return {"form_token": token, **more, **told}


def nothing_was_done(work: Work) -> bool:
    begun = work.prefect.begun or work.prefect.stopped
    return acts(work) == [] and not begun and entries(work.settings.lake()) == []


def test_without_a_role_nothing_is_written(work: Work) -> None:
    client = work.browser("看")
    for path, page, told in FORMS:
        token = token_of(client.get(page).text)
        answer = client.post(path, data=filled_in(work, path, told, token))
        assert answer.status_code == 403, path
    assert nothing_was_done(work)


def test_a_form_that_is_not_ours_does_nothing(work: Work) -> None:
    client = work.browser("甲")
    others = token_of(work.browser("乙").get(FINDINGS).text)
    for path, _, told in FORMS:
        for token in ("", "0" * 64, others):
            answer = client.post(path, data=filled_in(work, path, told, token))
            assert answer.status_code == 403, (path, token)
    assert nothing_was_done(work)


def test_another_origin_and_a_session_that_is_over_do_nothing(work: Work) -> None:
    client = work.browser("甲")
    token = token_of(client.get(FINDINGS).text)
    foreign = {"origin": "http://evil.example"}
    for path, _, told in FORMS:
        data = filled_in(work, path, told, token)
        assert client.post(path, data=data, headers=foreign).status_code == 403, path
        assert work.browser("").post(path, data=data).status_code == 401, path
    with Office(work.settings.home).change() as connection:
        long_ago = (now() - 2 * IDLE - timedelta(hours=1)).isoformat()
        connection.execute("UPDATE session SET seen_at = ?", [long_ago])
    for path, _, told in FORMS:
        data = filled_in(work, path, told, token)
        assert client.post(path, data=data).status_code == 401, path
    assert nothing_was_done(work)


# ---- 核对问题


def test_an_answer_is_written_shown_and_carried_into_the_approval(work: Work) -> None:
    client = work.browser("甲")
    lake, settings = work.settings.lake(), work.settings
    (matter,) = matters_of(lake, settings, "2020-1").blocking
    answer = send(
        client,
        f"{FINDINGS}/answer",
        FINDINGS,
        matter=matter.key,
        seen="0",
        said=f"申请表已遗失{HOSTILE}",
    )
    assert answer.headers["location"] == f"{FINDINGS}#{matter.ref}"
    shown = client.get(FINDINGS).text
    assert "已答复" in shown
    assert HOSTILE not in shown
    # Somebody who saw nothing of it is told, and keeps what they wrote.
    late = send(
        work.browser("乙"),
        f"{FINDINGS}/answer",
        FINDINGS,
        matter=matter.key,
        seen="0",
        said="乙的话",
    )
    assert late.status_code == 422
    assert "甲" in text_of(late.text)
    assert "乙的话" in late.text
    handed = send(client, f"{FINDINGS}/hand-over", FINDINGS)
    assert handed.status_code == 303
    form = work.browser("丙").get("/desk/approve/2020-1").text
    assert "我看过这条答复" in form
    assert "答复（甲" in form
    assert 'name="answer.' not in form
    untouched = send(
        work.browser("丙"), "/desk/approve/2020-1", statement="同意", code=code_at(now())
    )
    assert untouched.status_code == 422
    assert acts(work) == [("甲", "答复"), ("甲", "送批准")] or acts(work)[-1][1] == "验证码未通过"


def test_only_an_approver_gives_an_edition_back(work: Work) -> None:
    told = {"said": "请补依据"}
    refused = send(work.browser("甲"), f"{FINDINGS}/return", FINDINGS, **told)
    assert refused.status_code == 403
    done = send(work.browser("丙"), f"{FINDINGS}/return", "/desk/approve/2020-1", **told)
    assert done.status_code == 303
    assert "请补依据" in work.browser("甲").get(FINDINGS).text
    assert acts(work) == [("丙", "退回")]


def test_a_letter_gets_its_number_and_is_printed_with_it(work: Work) -> None:
    client, path = work.browser("甲"), "/desk/edition/2020-1/transfer/A1"
    wrong = send(client, path, due_on="明天")
    assert wrong.status_code == 422
    sent = send(client, path, due_on="2099-02-26")
    assert sent.headers["location"] == f"{path}?letter=2020-1-01"
    letter = text_of(client.get(sent.headers["location"]).text)
    for told in ("编号 2020-1-01", "甲县东镇：", "2099 年 2 月 26 日", "经办人：甲", work.record):
        assert told in letter
    assert client.get(f"{path}?letter={HOSTILE}").status_code == 422


def test_what_is_no_act_is_no_page(work: Work) -> None:
    client = work.browser("甲")
    assert client.post(f"{FINDINGS}/publish", data={}).status_code == 404
    assert client.post("/desk/correction/1/erase", data={}).status_code == 404


# ---- 更正


def test_a_correction_takes_two_persons_signed_in(work: Work) -> None:
    client = work.browser("甲")
    sent = send(
        client, "/desk/correction/new", work.new, **work.correction(reviewer="乙", who="丙")
    )
    assert sent.headers["location"] == "/desk/correction/1"
    entry = entry_of(work.settings.lake(), 1)
    assert (entry.entered_by, entry.acts[0].is_signed_in) == ("甲", True)
    own = client.get("/desk/correction/1").text
    assert "您是登记人" in own
    assert "复核同意</button>" in own
    # Asked for all the same, as somebody with another tool may.
    forced = send(client, "/desk/correction/1/review", work.new)
    assert forced.status_code == 422
    assert entry_of(work.settings.lake(), 1).state == "entered"
    done = send(work.browser("乙"), "/desk/correction/1/review", "/desk/correction/1")
    assert done.status_code == 303
    assert entry_of(work.settings.lake(), 1).reviewed_by == "乙"
    assert "有效" in client.get("/desk/corrections").text
    assert acts(work) == [("甲", "登记更正"), ("乙", "复核更正")]


def test_what_is_refused_stays_filled_in(work: Work) -> None:
    told = work.correction(value="", reason=f"因为{HOSTILE}")
    answer = send(work.browser("甲"), "/desk/correction/new", work.new, **told)
    assert answer.status_code == 422
    assert "与来源现在的值相同" in text_of(answer.text)
    assert "因为&lt;script&gt;" in answer.text
    assert HOSTILE not in answer.text
    assert entries(work.settings.lake()) == []


def test_where_nobody_is_configured_two_names_must_differ_and_are_marked(demo: Work) -> None:
    client = demo.browser()
    nameless = send(client, "/desk/correction/new", demo.new, **demo.correction())
    assert nameless.status_code == 422
    sent = send(client, "/desk/correction/new", demo.new, **demo.correction(who="甲"))
    assert sent.status_code == 303
    same = send(client, "/desk/correction/1/review", "/desk/correction/1", who=" 甲")
    assert same.status_code == 422
    assert "登记人" in text_of(same.text)
    assert (
        send(client, "/desk/correction/1/review", "/desk/correction/1", who="乙").status_code == 303
    )
    assert not entry_of(demo.settings.lake(), 1).is_proved
    assert "未登录" in client.get("/desk/corrections").text


def test_what_would_change_is_computed_on_demand_and_polled(work: Work) -> None:
    client = work.browser("甲")
    token = token_of(client.get(work.new).text)
    data = {"form_token": token, **work.correction()}
    answer = client.post("/desk/correction/preview", data=data, headers={"hx-request": "true"})
    assert "<html" not in answer.text
    until = time.monotonic() + 120
    while "hx-get" in answer.text and time.monotonic() < until:
        time.sleep(0.05)
        key = answer.text.partition("/desk/correction/preview/")[2].partition('"')[0]
        answer = client.get(f"/desk/correction/preview/{key}")
    assert "由不符变为相符" in answer.text
    # Without a script the whole page comes, with what was filled in.
    whole = client.post("/desk/correction/preview", data=data)
    assert "由不符变为相符" in whole.text
    assert "申请表载明" in whole.text
    assert entries(work.settings.lake()) == []


# ---- 编制


def test_a_build_is_begun_with_every_field_and_the_person_signed_in(work: Work) -> None:
    told = {"form": "annual-report", "year": "2020", "reason": " 重编 ", "sets": "on"}
    sent = send(work.browser("甲"), "/desk/build", built_by="丙", **told)
    assert sent.headers["location"] == f"/desk/building/{RUN}"
    ((name, parameters),) = work.prefect.begun
    assert name == "year-end"
    assert set(parameters) == set(year_end.parameters.properties)
    assert (parameters["built_by"], parameters["year"], parameters["reason"]) == (
        "甲",
        2020,
        "重编",
    )
    assert (parameters["sets"], parameters["pull_first"]) == (True, False)
    assert acts(work) == [("甲", "开始编制")]
    work.prefect.is_there = False
    assert send(work.browser("甲"), "/desk/build", year="2020").status_code == 503


STATES = (
    (("RUNNING", "Running", ""), "wait", "第 2 步,共 7 步"),
    (("CANCELLING", "Cancelling", ""), "wait", "正在停止"),
    (("SCHEDULED", "Scheduled", ""), "", "就要开始"),
    (("PENDING", "AwaitingConcurrencySlot", ""), "", "在等前一个运行结束"),
    (
        ("COMPLETED", "Completed", "版次 2020-2 已编成,待发布,没有阻断问题"),
        "done",
        "看版次 2020-2",
    ),
    (("FAILED", "有阻断问题", "版次 2020-2 已编成;有 7 项阻断问题"), "turn", "处理核对问题"),
    (("FAILED", "来源失败", "热线平台没有应答"), "broken", "热线平台没有应答"),
    (("CANCELLED", "输入有误", "“数据截至”看不懂"), "turn", "按原来的填法重新编制"),
    (("CANCELLED", "Cancelled", "Flow run was cancelled"), "none", "没有留下版次"),
    (("CRASHED", "Crashed", "Execution was interrupted"), "broken", "已取的数据完好"),
)


def test_a_run_is_told_in_words_that_help(work: Work) -> None:
    for state, mark, told in STATES:
        check_told(work, state, mark, told)


def check_told(work: Work, state: tuple[str, str, str], mark: str, told: str) -> None:
    kind, name, message = state
    work.prefect.runs[RUN] = {
        "id": RUN,
        "name": "年终编制 2021-03-29 15:51",
        "state": {"type": kind, "name": name, "message": message},
        # Begun elsewhere: not every field was filled in.
        "parameters": {"built_by": "甲", "reason": HOSTILE, "organs": [HOSTILE]},
        "start_time": "2021-03-29T07:51:00+00:00",
        "end_time": "2021-03-29T07:52:00Z",
    }
    is_begun = kind not in ("SCHEDULED", "PENDING")
    work.prefect.logs = (
        [
            ("2021-03-29T07:51:02Z", STEPS[0]),
            ("2021-03-29T07:51:16Z", STEPS[1]),
        ]
        if is_begun
        else []
    )
    page = work.browser("甲").get(f"/desk/building/{RUN}")
    assert told.replace(",", "，") in text_of(page.text)
    assert HOSTILE not in page.text
    assert "Execution was" not in text_of(page.text)
    if mark:
        assert f'class="mark {mark}"' in page.text
    part = work.browser("甲", **{"hx-request": "true"}).get(f"/desk/building/{RUN}").text
    assert "<html" not in part
    is_over = kind in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
    assert ("every 2s" in part) is not is_over
    if kind == "RUNNING":
        assert "0:14" in part
        assert (
            send(
                work.browser("乙"), f"/desk/building/{RUN}/stop", f"/desk/building/{RUN}"
            ).status_code
            == 303
        )
        assert work.prefect.stopped == [RUN]


# ---- 核对报告


def sent_files(client: TestClient, *files: tuple[str, bytes], **told: str) -> Any:
    token = token_of(client.get("/desk/audit").text)
    return client.post(
        "/desk/audit",
        data={"form_token": token, **told},
        files=[("files", (name, content)) for name, content in files],
    )


REPORT = "某局2020年政府信息公开工作年度报告\n全年收到申请 12 件，其中予以公开 8 件、部分公开 3 件、不予公开 2 件。".encode()


def test_reports_are_kept_audited_in_a_run_and_shown(work: Work) -> None:
    client = work.browser("甲")
    sent = sent_files(client, ("../../报告.txt", REPORT), ("报告.txt", REPORT), edition="2020-1")
    assert sent.status_code == 303, text_of(sent.text)
    name = sent.headers["location"].rpartition("/")[2]
    assert work.prefect.begun == [("report-audit", {"path": name, "edition": "2020-1"})]
    folder = work.settings.home / REPORTS / name
    assert sorted(p.name for p in folder.iterdir()) == ["upload.json", "报告.txt", "报告_2.txt"]
    work.prefect.runs[RUN] = {
        "id": RUN,
        "name": "核对",
        "state": {"type": "RUNNING", "name": "Running"},
    }
    assert "正在核对 2 个文件" in text_of(client.get(f"/desk/audit/{name}").text)
    unread: list[str] = []
    reports = audit_files([folder / "报告.txt"], unread=unread)
    write_batch(work.settings.home / AUDITED / name, reports, ["扫描件.pdf:没有文字"])
    page = client.get(f"/desk/audit/{name}?report=报告.html")
    assert "看原文，逐数标明" in page.text
    assert "扫描件.pdf" in page.text
    marked = client.get(f"/desk/audit/{name}/page/报告.html")
    assert marked.status_code == 200
    assert "script-src" not in marked.headers["content-security-policy"]
    assert client.get(f"/desk/audit/{name}/file/figures.csv").status_code == 200
    for other in ("result.json", "upload.json", "..%2f..%2foffice.sqlite"):
        assert client.get(f"/desk/audit/{name}/file/{other}").status_code == 404
        assert client.get(f"/desk/audit/{name}/page/{other}").status_code == 404
    assert acts(work) == [("甲", "上传报告核对")]
    assert [b.person for b in batches(work.settings.home)] == ["甲"]


@pytest.mark.parametrize(
    ("files", "told", "why"),
    [
        ([("a.exe", b"MZ")], {}, "不是报告"),
        ([(".htaccess", b"x")], {}, "不是报告"),
        ([("a.txt", b"x")], {"edition": "9999-9"}, "没有这个版次"),
        ([("", b"")], {}, "请选择"),
        ([], {}, "请选择"),
    ],
)
def test_what_is_no_report_is_not_kept(
    work: Work, files: list[tuple[str, bytes]], told: dict[str, str], why: str
) -> None:
    answer = sent_files(work.browser("甲"), *(files or [("", b"")]), **told)
    assert answer.status_code in (422, 403)
    assert answer.status_code == 403 or why in text_of(answer.text)
    folder = work.settings.home / REPORTS
    assert not folder.exists() or list(folder.iterdir()) == []
    assert work.prefect.begun == []


def test_nothing_is_written_before_the_form_is_known_to_be_ours(work: Work) -> None:
    client = work.browser("甲")
    token = token_of(client.get("/desk/audit").text)

    def body(*parts: tuple[str, str]) -> bytes:
        lines = [
            f"--edge\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n"
            for head, text in parts
        ]
        return ("".join(lines) + "--edge--\r\n").encode()

    file = ('name="files"; filename="a.txt"', "x" * 100)
    ours, forged = ('name="form_token"', token), ('name="form_token"', "no")
    headers = {"content-type": "multipart/form-data; boundary=edge"}
    for wrong in (body(file, ours), body(forged, file), body(file), b"--edge", b"\x00" * 50):
        answer = client.post("/desk/audit", content=wrong, headers=headers)
        assert answer.status_code in (403, 422)
    # Broken off in the middle: what came is not kept.
    answer = client.post("/desk/audit", content=body(ours, file)[:-30], headers=headers)
    assert answer.status_code in (403, 422)
    folder = work.settings.home / REPORTS
    assert not folder.exists() or list(folder.iterdir()) == []
    long = {**headers, "content-length": str(10**12)}
    assert client.post("/desk/audit", content=body(ours, file), headers=long).status_code in (
        400,
        422,
    )


# ---- 批准


def test_the_builder_is_told_that_another_must_approve(
    work: Work, template: tuple[Path, str, dict[str, str]]
) -> None:
    settings = work.settings.model_copy(update={"two_persons": True})
    lake = settings.lake()
    SmallCity(settings.city, lake).application("2020-06-02")
    build_edition(lake, settings.city, Period.of_year(2020), now=now(), built_by="丙")
    page = browser(settings, work.prefect, work.sessions["丙"]).get("/desk/approve/2020-2").text
    assert "您是这一版次的编制人，不能批准" in text_of(page)
    assert 'name="code"' not in page
    assert OWN not in page
