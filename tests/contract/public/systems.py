"""The systems. Formats after their public documentation; organs, persons and numbers are made up."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from tests.contract.public.serving import Reply

COUNT = 64
PERSONS = ("王小明", "李芳", "张伟", "刘洋", "陈静", "杨帆", "赵磊", "黄丽")
ORGANS = ("教育局", "公安局", "民政局", "住房和城乡建设局", "交通运输局")
Record = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    """What a person would write. `columns` names for each column the paths that are right, `cursor`
    the field of the last change and the parameter, where there are any; `persons` are words in paths
    that must not be proposed."""

    columns: dict[str, tuple[str, ...]]
    key: str | list[str]
    paginator: dict[str, Any]
    updated: tuple[str, ...] = ()
    param: str | None = None
    persons: tuple[str, ...] = ()
    records: str | None = None


@dataclass
class System:
    """A system: its address of the list as a person would copy it, and how it answers."""

    name: str
    title: str
    table: str
    place: str
    expected: Expected
    answer: Callable[[System, str, dict[str, str], str], Reply]
    body: str | None = None
    url: str = ""
    records: list[Record] = field(default_factory=list)
    beside: dict[str, Any] = field(default_factory=dict)

    def reply(self, path: str, given: dict[str, str], body: str) -> Reply:
        if path in self.beside:
            return Reply(self.beside[path])
        if path != self.place.partition("?")[0]:
            return Reply({"detail": "Not found."}, 404)
        return self.answer(self, path, given, body)


def moment(n: int) -> datetime:
    return datetime(2020, 1, 3, 9, 5) + timedelta(days=5 * n, minutes=37 * n)


def changed(n: int) -> datetime:
    """Changed later, and not in the order of making."""
    return moment(n) + timedelta(days=(n * 7) % 40, hours=2)


def phone(n: int) -> str:
    return f"138{n:08d}"


def _int(given: dict[str, str], name: str, default: int) -> int:
    return int(given.get(name, default))


# ---- WordPress REST API v2: posts


def _post(n: int) -> Record:
    made, last = moment(n), changed(n)
    return {
        "id": 100 + n,
        "date": made.isoformat(),
        "date_gmt": (made - timedelta(hours=8)).isoformat(),
        "guid": {"rendered": f"http://x.example/?p={100 + n}"},
        "modified": last.isoformat(),
        "modified_gmt": (last - timedelta(hours=8)).isoformat(),
        "slug": f"post-{n}",
        "status": "publish",
        "type": "post",
        "link": f"http://x.example/{made:%Y/%m}/post-{n}/",
        "title": {"rendered": f"关于第{n}号事项的&#8220;通知&#8221;"},
        "content": {"rendered": f"<p>联系人 {PERSONS[n % 8]},{phone(n)}</p>", "protected": False},
        "excerpt": {"rendered": f"<p>摘要 {n}</p>", "protected": False},
        "author": n % 5 + 1,
        "featured_media": 0,
        "comment_status": "closed",
        "ping_status": "closed",
        "sticky": False,
        "template": "",
        "format": "standard",
        "meta": [],
        "categories": [n % 6 + 1] if n % 9 else [n % 6 + 1, 7],
        "tags": [],
        "_links": {"self": [{"href": f"http://x.example/wp-json/wp/v2/posts/{100 + n}"}]},
    }


def _wordpress(system: System, path: str, given: dict[str, str], body: str) -> Reply:
    size, page = _int(given, "per_page", 10), _int(given, "page", 1)
    if not 1 <= size <= 100:
        return Reply(
            {"code": "rest_invalid_param", "message": "per_page", "data": {"status": 400}}, 400
        )
    since = given.get("modified_after", "")
    found = [r for r in system.records[::-1] if r["modified"] > since.rstrip("Z")]
    pages = -(-len(found) // size)
    if page > max(pages, 1):
        return Reply({"code": "rest_post_invalid_page_number", "data": {"status": 400}}, 400)
    headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(pages)}
    if page < pages:
        query = urlencode({**given, "page": page + 1})
        headers["Link"] = f'<{system.url}{path}?{query}>; rel="next"'
    return Reply(found[(page - 1) * size : page * size], headers=headers)


# ---- Wagtail API v2: pages


def _page(n: int) -> Record:
    return {
        "id": 10 + n,
        "meta": {
            "type": "news.NewsPage",
            "detail_url": f"http://x.example/api/v2/pages/{10 + n}/",
            "html_url": f"http://x.example/news/{n}/",
            "slug": f"news-{n}",
            "first_published_at": moment(n).isoformat() + "+08:00",
        },
        "title": f"市政府关于第{n}号事项的公告",
    }


def _wagtail(system: System, path: str, given: dict[str, str], body: str) -> Reply:
    unknown = set(given) - {"limit", "offset", "type", "fields", "order", "search"}
    if unknown:
        return Reply(
            {
                "message": f"query parameter is not an operation or a recognised field: {', '.join(unknown)}"
            },
            400,
        )
    size, offset = _int(given, "limit", 20), _int(given, "offset", 0)
    if size > 20:
        return Reply({"message": "limit cannot be higher than 20"}, 400)
    return Reply(
        {
            "meta": {"total_count": len(system.records)},
            "items": system.records[offset : offset + size],
        }
    )


# ---- Drupal JSON:API: node--article


def _node(n: int) -> Record:
    identity = f"3c38f39b-6601-41bd-a205-{n:012d}"
    return {
        "type": "node--article",
        "id": identity,
        "links": {"self": {"href": f"http://x.example/jsonapi/node/article/{identity}"}},
        "attributes": {
            "drupal_internal__nid": n + 1,
            "drupal_internal__vid": n + 1,
            "langcode": "zh-hans",
            "revision_timestamp": changed(n).isoformat() + "+00:00",
            "status": True,
            "title": f"关于第{n}号事项的说明",
            "created": moment(n).isoformat() + "+00:00",
            "changed": changed(n).isoformat() + "+00:00",
            "promote": False,
            "sticky": False,
            "path": {"alias": f"/news/{n}", "pid": n, "langcode": "zh-hans"},
            "body": {
                "value": f"<p>{PERSONS[n % 8]} {phone(n)}</p>",
                "format": "basic_html",
                "processed": "",
                "summary": "",
            },
            "field_document_number": f"云府办〔2020〕{n}号",
        },
        "relationships": {
            "node_type": {
                "data": {
                    "type": "node_type--node_type",
                    "id": "11111111-aaaa-4aaa-8aaa-111111111111",
                }
            },
            "uid": {
                "data": {
                    "type": "user--user",
                    "id": f"9f0d-{n % 4}",
                    "meta": {"drupal_internal__target_id": n % 4},
                }
            },
            "field_channel": {
                "data": {
                    "type": "taxonomy_term--channel",
                    "id": f"7b0e-{n % 5}",
                    "meta": {"drupal_internal__target_id": n % 5},
                }
            },
            "field_department": {
                "data": {
                    "type": "taxonomy_term--department",
                    "id": f"5d0e-{n % 5}",
                    "meta": {"drupal_internal__target_id": n % 5},
                }
            },
        },
    }


def _drupal(system: System, path: str, given: dict[str, str], body: str) -> Reply:
    size, offset = min(_int(given, "page[limit]", 50), 50), _int(given, "page[offset]", 0)
    unknown = [
        n for n in given if not n.startswith(("page[", "filter[", "sort", "include", "fields["))
    ]
    if unknown:
        return Reply({"errors": [{"title": "Bad Request", "status": "400"}]}, 400)
    found = system.records
    filters = {n: v for n, v in given.items() if n.startswith("filter[")}
    if filters:
        names = {re.findall(r"\[(\w+)\]", n)[0] for n in filters}
        own = names.pop()
        condition = {n: v for n, v in filters.items() if n.startswith(f"filter[{own}][condition]")}
        if len(condition) != 3 or names:
            return Reply({"errors": [{"title": "Bad Request", "status": "400"}]}, 400)
        field_ = given[f"filter[{own}][condition][path]"]
        since = datetime.fromisoformat(given[f"filter[{own}][condition][value]"])
        if field_ not in ("changed", "created"):
            return Reply({"errors": [{"title": "Bad Request", "status": "400"}]}, 400)
        found = [r for r in found if datetime.fromisoformat(r["attributes"][field_]) >= since]
    links: Record = {"self": {"href": f"{system.url}{path}"}}
    if offset + size < len(found):
        query = urlencode({**given, "page[offset]": offset + size, "page[limit]": size})
        links["next"] = {"href": f"{system.url}{path}?{query}"}
    return Reply(
        {
            "jsonapi": {"version": "1.0", "meta": {}},
            "data": found[offset : offset + size],
            "links": links,
        },
        kind="application/vnd.api+json",
    )


# ---- Redmine REST: issues


def _issue(n: int) -> Record:
    closed = n % 3 == 0
    return {
        "id": 4000 + n,
        "project": {"id": n % 5 + 1, "name": ORGANS[n % 5]},
        "tracker": {"id": n % 3 + 1, "name": ("投诉", "咨询", "建议")[n % 3]},
        "status": {
            "id": 5 if closed else 1,
            "name": "已关闭" if closed else "新建",
            "is_closed": closed,
        },
        "priority": {"id": 2, "name": "普通"},
        "author": {"id": 7, "name": PERSONS[n % 8]},
        "assigned_to": {"id": n % 4, "name": PERSONS[(n + 3) % 8]},
        "category": {"id": n % 4 + 1, "name": ("道路", "供水", "噪声", "垃圾")[n % 4]},
        "subject": f"{PERSONS[n % 8]}反映第{n}号路段积水",
        "description": f"联系电话 {phone(n)}",
        "start_date": f"{moment(n):%Y-%m-%d}",
        "due_date": f"{moment(n) + timedelta(days=7):%Y-%m-%d}",
        "done_ratio": 100 if closed else 0,
        "is_private": False,
        "estimated_hours": None,
        "custom_fields": [
            {"id": 1, "name": "是否满意", "value": "1" if n % 2 else "0"},
            {"id": 2, "name": "联系人", "value": PERSONS[n % 8]},
        ],
        "created_on": moment(n).isoformat() + "Z",
        "updated_on": changed(n).isoformat() + "Z",
        "closed_on": (moment(n) + timedelta(days=3)).isoformat() + "Z" if closed else None,
    }


def _redmine(system: System, path: str, given: dict[str, str], body: str) -> Reply:
    size, offset = min(_int(given, "limit", 25), 100), _int(given, "offset", 0)
    found = system.records[::-1]
    since = re.fullmatch(r">=(\S+)", given.get("updated_on", ""))
    if "updated_on" in given and not since:
        return Reply({"errors": ["Updated is invalid"]}, 422)
    if since:
        found = [r for r in found if r["updated_on"] >= since[1]]
    return Reply(
        {
            "issues": found[offset : offset + size],
            "total_count": len(found),
            "offset": offset,
            "limit": size,
        }
    )


# ---- django-helpdesk: tickets of its REST API


def _ticket(n: int) -> Record:
    return {
        "id": n + 1,
        "queue": n % 4 + 1,
        "title": f"{PERSONS[n % 8]}(电话 {phone(n)})的诉求",
        "description": f"{PERSONS[n % 8]} 家住人民路{n}号",
        "resolution": None,
        "submitter_email": f"u{n}@mail.example",
        "assigned_to": n % 3 or None,
        "status": n % 5 + 1,
        "on_hold": n % 11 == 0,
        "priority": 3,
        "due_date": (moment(n) + timedelta(days=5)).isoformat() + "+08:00",
        "merged_to": None if n % 13 else 1 if n else None,
        "attachment": None,
        "followup_set": [
            {"id": n, "ticket": n + 1, "user": 1, "title": "Comment", "comment": f"致电 {phone(n)}", "public": True,
             "date": moment(n).isoformat()}
        ],
        "custom_department": ORGANS[n % 5],
    }  # fmt: skip


def _helpdesk(system: System, path: str, given: dict[str, str], body: str) -> Reply:
    size, page = min(_int(given, "page_size", 25), 1000), _int(given, "page", 1)
    pages = -(-len(system.records) // size)
    if page > pages:
        return Reply({"detail": "Invalid page."}, 404)

    def link(number: int) -> str | None:
        return (
            f"{system.url}{path}?{urlencode({**given, 'page': number})}"
            if 1 <= number <= pages
            else None
        )

    found = system.records[(page - 1) * size : page * size]
    return Reply(
        {
            "count": len(system.records),
            "next": link(page + 1),
            "previous": link(page - 1),
            "results": found,
        }
    )


# ---- Roundup REST: issues


def _roundup_issue(n: int) -> Record:
    return {
        "id": str(n + 1),
        "link": f"http://x.example/demo/rest/data/issue/{n + 1}",
        "title": f"第{n}号路段路灯不亮",
        "creation": f"{moment(n):%Y-%m-%d.%H:%M:%S}",
        "activity": f"{changed(n):%Y-%m-%d.%H:%M:%S}",
        "creator": {"id": "3", "link": "http://x.example/demo/rest/data/user/3", "username": "wangxm"},
        "assignedto": {"id": str(n % 4), "link": f"http://x.example/demo/rest/data/user/{n % 4}", "username": "liuy"},
        "status": {"id": str(n % 8 + 1), "link": f"http://x.example/demo/rest/data/status/{n % 8 + 1}",
                   "name": ("unread", "deferred", "chatting", "need-eg", "in-progress", "testing", "done-cbb", "resolved")[n % 8]},
        "priority": {"id": "2", "link": "http://x.example/demo/rest/data/priority/2", "name": "urgent"},
        "department": {"id": str(n % 5), "link": f"http://x.example/demo/rest/data/department/{n % 5}", "name": ORGANS[n % 5]},
        "superseder": [],
        "nosy": [{"id": "1", "link": "http://x.example/demo/rest/data/user/1", "username": "admin"}],
    }  # fmt: skip


def _roundup(system: System, path: str, given: dict[str, str], body: str) -> Reply:
    size, page = _int(given, "@page_size", 20), _int(given, "@page_index", 1)
    unknown = [n for n in given if not n.startswith("@") and n not in system.records[0]]
    if unknown:
        return Reply({"error": {"status": 400, "msg": f"Unknown property {unknown[0]!r}"}}, 400)
    found = system.records
    if "activity" in given:
        since = given["activity"].partition(";")[0]
        if not re.fullmatch(r"\d{4}-\d\d-\d\d(\.\d\d:\d\d:\d\d)?", since):
            return Reply({"error": {"status": 400, "msg": "not a date"}}, 400)
        found = [r for r in found if r["activity"] >= since]
    links: Record = {"self": [{"rel": "self", "uri": f"{system.url}{path}?{urlencode(given)}"}]}
    if page * size < len(found):
        query = urlencode({**given, "@page_size": size, "@page_index": page + 1})
        links["next"] = [{"rel": "next", "uri": f"{system.url}{path}?{query}"}]
    return Reply(
        {
            "data": {
                "@total_size": len(found),
                "collection": found[(page - 1) * size : page * size],
                "@links": links,
            }
        }
    )


# ---- RuoYi: a generated list of a back end


def _gd(n: int) -> Record:
    closed = n % 3 == 0
    return {
        "createBy": "admin",
        "createTime": f"{moment(n):%Y-%m-%d %H:%M:%S}",
        "updateBy": "wangxm",
        "updateTime": f"{changed(n):%Y-%m-%d %H:%M:%S}",
        "remark": f"{PERSONS[n % 8]}来电 {phone(n)}",
        "params": {},
        "gdId": 900 + n,
        "gdbh": f"GD2020{n:05d}",
        "lxr": PERSONS[n % 8],
        "lxdh": phone(n),
        "sqnr": f"{PERSONS[n % 8]}反映道路积水",
        "sqlb": f"0{n % 4 + 1}",
        "sqxz": ("1", "2", "3")[n % 3],
        "cbdwDm": f"D{n % 5:03d}",
        "cbdwMc": ORGANS[n % 5],
        "zt": "9" if closed else "1",
        "pdsj": f"{moment(n) + timedelta(hours=1):%Y-%m-%d %H:%M:%S}",
        "blqx": f"{moment(n) + timedelta(days=5):%Y-%m-%d %H:%M:%S}",
        "bjsj": f"{moment(n) + timedelta(days=3):%Y-%m-%d %H:%M:%S}" if closed else None,
        "hfsj": f"{moment(n) + timedelta(days=4):%Y-%m-%d %H:%M:%S}" if closed else None,
        "sfmy": ("1" if n % 2 else "0") if closed else None,
        "sfjj": "1" if closed else None,
        "delFlag": "0",
    }


def _ruoyi(system: System, path: str, given: dict[str, str], body: str) -> Reply:
    size, page = _int(given, "pageSize", 10), _int(given, "pageNum", 1)
    found = system.records[::-1]
    # Its parameters of time filter by the time of making, not of change.
    begin = given.get("params[beginTime]", "")
    found = [r for r in found if r["createTime"] >= begin]
    return Reply(
        {
            "total": len(found),
            "rows": found[(page - 1) * size : page * size],
            "code": 200,
            "msg": "查询成功",
        }
    )


# ---- TRS: the list of documents of a site's interface


def _document(n: int) -> Record:
    return {
        "DOCID": str(60_000 + n),
        "DOCTITLE": f"关于印发第{n}号方案的通知",
        "DOCCHANNEL": str(2000 + n % 6),
        "CHNLNAME": ("通知公告", "政策文件", "工作动态")[n % 3],
        "SITEID": "3",
        "DOCPUBTIME": f"{moment(n):%Y-%m-%d %H:%M:%S}",
        "DOCRELTIME": f"{moment(n):%Y-%m-%d %H:%M:%S}",
        "CRTIME": f"{moment(n) - timedelta(hours=3):%Y-%m-%d %H:%M:%S}",
        "CRUSER": "wangxm",
        "OPERTIME": f"{changed(n):%Y-%m-%d %H:%M:%S}",
        "OPERUSER": "liuy",
        "DOCPUBURL": f"http://x.example/zwgk/{moment(n):%Y%m}/t{moment(n):%Y%m%d}_{60_000 + n}.html",
        "DOCABSTRACT": f"摘要 {PERSONS[n % 8]} {phone(n)}",
        "DOCAUTHOR": PERSONS[n % 8],
        "DOCPEOPLE": PERSONS[(n + 1) % 8],
        "IDXID": f"11441500007/2020-{n:05d}",
        "FILENUM": f"云府〔2020〕{n}号",
        "PUBLISHER": f"云城市{ORGANS[n % 5]}",
        "DOCKEYWORDS": "通知",
        "DOCSOURCENAME": "本站",
        "APPFILE": "",
    }


def _trs(system: System, path: str, given: dict[str, str], body: str) -> Reply:
    size, page = _int(given, "perpage", 10), _int(given, "page", 1)
    found = system.records[::-1]
    rows = found[(page - 1) * size : page * size]
    return Reply(
        {"count": len(found), "pagetotal": -(-len(found) // size), "page": page, "rows": rows}
    )


# ---- a ticket service over SOAP 1.1


ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="urn:tickets">
  <soapenv:Body>
    <t:queryTickets>
      <t:modifiedSince></t:modifiedSince>
      <t:pageNo>1</t:pageNo>
      <t:pageSize>10</t:pageSize>
    </t:queryTickets>
  </soapenv:Body>
</soapenv:Envelope>
"""


def _soap_ticket(n: int) -> Record:
    return {
        "ticketNo": f"T{n:06d}",
        "callerName": PERSONS[n % 8],
        "callerPhone": phone(n),
        "ticketType": ("投诉", "咨询", "举报")[n % 3],
        "classCode": f"C{n % 6}",
        "handleDeptCode": f"B{n % 5:02d}",
        "handleDeptName": ORGANS[n % 5],
        "ticketStatus": ("待受理", "办理中", "已办结")[n % 3],
        "acceptTime": moment(n).isoformat(),
        "limitTime": (moment(n) + timedelta(days=5)).isoformat(),
        "finishTime": (moment(n) + timedelta(days=3)).isoformat() if n % 3 == 2 else "",
        "isSatisfied": ("满意", "不满意", "")[n % 3],
        "modifyTime": changed(n).isoformat(),
        "ticketContent": f"{PERSONS[n % 8]}反映……",
    }


def _soap(system: System, path: str, given: dict[str, str], body: str) -> Reply:
    asked = dict(re.findall(r"<t:(\w+)>([^<]*)</t:\1>", body))
    if "<t:queryTickets>" not in body:
        fault = "<soap:Fault><faultcode>soap:Client</faultcode><faultstring>unknown</faultstring></soap:Fault>"
        return Reply(_enveloped(fault), 500, kind="text/xml; charset=utf-8")
    size, page = int(asked.get("pageSize") or 10), int(asked.get("pageNo") or 1)
    found = [r for r in system.records if r["modifyTime"] >= (asked.get("modifiedSince") or "")]
    tickets = "".join(
        "<ticket>" + "".join(f"<{n}>{escape(v)}</{n}>" for n, v in r.items()) + "</ticket>"
        for r in found[(page - 1) * size : page * size]
    )
    inner = f'<ns:queryTicketsResponse xmlns:ns="urn:tickets"><return><totalCount>{len(found)}</totalCount><tickets>{tickets}</tickets></return></ns:queryTicketsResponse>'
    return Reply(_enveloped(inner), kind="text/xml; charset=utf-8")


def _enveloped(inner: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<soap:Body>{inner}</soap:Body></soap:Envelope>"
    )


def _made(make: Callable[[int], Record]) -> list[Record]:
    return [make(n) for n in range(COUNT)]


def wordpress() -> System:
    return System(
        "wordpress", "WordPress REST API v2(posts)", "article", "/wp-json/wp/v2/posts?per_page=20",
        Expected(
            {"title": ("title.rendered",), "channel_id": ("categories[0]",), "published_at": ("date", "date_gmt"), "url": ("link",)},
            "id", {"type": "link_header", "size_param": "per_page", "size": 20, "total_header": "X-WP-Total"},
            ("modified", "modified_gmt"), "modified_after", ("author", "content", "excerpt"),
        ),
        _wordpress, records=_made(_post),
        beside={"/wp-json/wp/v2/categories": [{"id": n + 1, "name": f"栏目&amp;{n}", "parent": 0} for n in range(7)]},
    )  # fmt: skip


def wagtail() -> System:
    return System(
        "wagtail", "Wagtail API v2(pages)", "article", "/api/v2/pages/?type=news.NewsPage",
        Expected(
            {"title": ("title",), "published_at": ("meta.first_published_at",), "url": ("meta.html_url",)},
            "id", {"type": "offset", "offset_param": "offset", "size_param": "limit", "total": "meta.total_count"},
        ),
        _wagtail, records=_made(_page),
    )  # fmt: skip


def drupal() -> System:
    return System(
        "drupal", "Drupal JSON:API(node--article)", "article", "/jsonapi/node/article?page[limit]=20",
        Expected(
            {
                "title": ("attributes.title",),
                "published_at": ("attributes.created",),
                "url": ("attributes.path.alias", "links.self.href"),
                "document_number": ("attributes.field_document_number",),
                "channel_id": ("relationships.field_channel.data.id", "relationships.field_channel.data.meta.drupal_internal__target_id"),
                "organ_id": ("relationships.field_department.data.id", "relationships.field_department.data.meta.drupal_internal__target_id"),
            },
            "id", {"type": "next_link", "next": "links.next.href", "size_param": "page[limit]", "size": 20},
            ("attributes.changed", "attributes.revision_timestamp"), "filter[since][condition][value]", ("uid", "body"),
        ),
        _drupal, records=_made(_node),
    )  # fmt: skip


def redmine() -> System:
    return System(
        "redmine", "Redmine REST(issues)", "work_order", "/issues.json?status_id=*",
        Expected(
            {
                "organ_id": ("project.id", "project.name"),
                "category": ("category.id", "category.name"),
                "request_kind": ("tracker.id", "tracker.name"),
                "work_order_status": ("status.id", "status.name"),
                "dispatched_at": ("created_on",),
                "due_at": ("due_date",),
                "closed_at": ("closed_on",),
                "is_satisfied": ("custom_fields[?name=='是否满意'].value | [0]",),
            },
            "id", {"type": "offset", "offset_param": "offset", "size_param": "limit", "total": "total_count"},
            ("updated_on",), "updated_on", ("author", "assigned_to", "联系人", "description", "subject"),
        ),
        _redmine, records=_made(_issue),
    )  # fmt: skip


def helpdesk() -> System:
    return System(
        "django-helpdesk", "django-helpdesk(tickets)", "work_order", "/api/tickets/?page_size=25",
        Expected(
            {
                "organ_id": ("custom_department",),
                "category": ("queue",),
                "work_order_status": ("status",),
                "due_at": ("due_date",),
                "is_on_hold": ("on_hold",),
                "merged_into_id": ("merged_to",),
            },
            "id", {"type": "next_link", "next": "next", "size_param": "page_size", "size": 25, "total": "count"},
            persons=("title", "description", "submitter_email", "assigned_to", "user", "comment"),
        ),
        _helpdesk, records=_made(_ticket),
    )  # fmt: skip


def roundup() -> System:
    return System(
        "roundup", "Roundup REST(issue)", "work_order", "/demo/rest/data/issue?@verbose=2&@fields=title,status,creation&@page_size=20",
        Expected(
            {
                "organ_id": ("department.id", "department.name"),
                "work_order_status": ("status.id", "status.name"),
                "dispatched_at": ("creation",),
            },
            "id", {"type": "next_link", "next": 'data.@links.next[0].uri', "size_param": "@page_size", "size": 20, "total": "data.@total_size"},
            ("activity",), "activity", ("creator", "assignedto", "nosy"),
        ),
        _roundup, records=_made(_roundup_issue),
    )  # fmt: skip


def ruoyi() -> System:
    return System(
        "ruoyi", "若依(RuoYi)后台列表", "work_order", "/prod-api/rx/gd/list?pageNum=1&pageSize=10",
        Expected(
            {
                "organ_id": ("cbdwDm", "cbdwMc"),
                "category": ("sqlb",),
                "request_kind": ("sqxz",),
                "work_order_status": ("zt",),
                "dispatched_at": ("pdsj",),
                "due_at": ("blqx",),
                "closed_at": ("bjsj",),
                "called_back_at": ("hfsj",),
                "is_satisfied": ("sfmy",),
                "is_solved": ("sfjj",),
            },
            "gdId", {"type": "page_number", "page_param": "pageNum", "size_param": "pageSize", "size": 10, "total": "total"},
            ("updateTime",), None, ("createBy", "updateBy", "remark", "lxr", "lxdh", "sqnr"),
        ),
        _ruoyi, records=_made(_gd), beside={"/prod-api/login": {"code": 200, "msg": "操作成功", "token": "t"}},
    )  # fmt: skip


def trs() -> System:
    return System(
        "trs", "拓尔思(TRS)站点接口", "article", "/govsearch/jsonp/list.jsp?channelid=2001&page=1&perpage=10",
        Expected(
            {
                "title": ("DOCTITLE",),
                "channel_id": ("DOCCHANNEL",),
                "published_at": ("DOCPUBTIME",),
                "created_at": ("CRTIME",),
                "url": ("DOCPUBURL",),
                "index_number": ("IDXID",),
                "document_number": ("FILENUM",),
                "organ_id": ("PUBLISHER",),
            },
            "DOCID", {"type": "page_number", "page_param": "page", "size_param": "perpage", "size": 10, "total": "count"},
            ("OPERTIME",), None, ("CRUSER", "OPERUSER", "DOCAUTHOR", "DOCPEOPLE", "DOCABSTRACT"),
        ),
        _trs, records=_made(_document),
    )  # fmt: skip


def soap() -> System:
    return System(
        "soap", "SOAP 1.1 工单服务", "work_order", "/services/TicketService",
        Expected(
            {
                "organ_id": ("handleDeptCode", "handleDeptName"),
                "category": ("classCode",),
                "request_kind": ("ticketType",),
                "work_order_status": ("ticketStatus",),
                "dispatched_at": ("acceptTime",),
                "due_at": ("limitTime",),
                "closed_at": ("finishTime",),
                "is_satisfied": ("isSatisfied",),
            },
            "ticketNo", {"type": "page_number", "page_param": "pageNo", "size_param": "pageSize", "size": 10, "send_in": "body",
                         "total": "Body.queryTicketsResponse.return.totalCount"},
            ("modifyTime",), "modifiedSince", ("callerName", "callerPhone", "ticketContent"),
        ),
        _soap, body=ENVELOPE, records=_made(_soap_ticket),
    )  # fmt: skip


SYSTEMS: dict[str, Callable[[], System]] = {
    "wordpress": wordpress,
    "wagtail": wagtail,
    "drupal": drupal,
    "redmine": redmine,
    "django-helpdesk": helpdesk,
    "roundup": roundup,
    "ruoyi": ruoyi,
    "trs": trs,
    "soap": soap,
}


# ---- a folder of an office: workbooks and CSV of several units, one title line, two rows of header

LABELS = (
    "序号",
    "登记编号",
    "收到日期",
    "收到方式",
    "申请人",
    "申请人",
    "办理机关",
    "答复期限",
    "答复日期",
    "办理结果",
    "联系电话",
)
UNDER = ("", "", "", "", "姓名", "类别", "", "", "", "", "")


def office_folder(folder: Path) -> Expected:
    """Write the folder; what a person would write for it."""
    import openpyxl

    for unit, organ in enumerate(ORGANS[:3]):
        rows = [
            [
                n + 1, f"依申请{2020}-{n:03d}", f"{moment(n):%Y年%-m月%-d日}", ("当面", "信函", "网络")[n % 3], PERSONS[n % 8],
                ("自然人", "企业")[n % 2], organ, f"{moment(n) + timedelta(days=28):%Y-%m-%d}",
                f"{moment(n) + timedelta(days=12):%Y-%m-%d}", ("予以公开", "不予公开", "不掌握相关信息")[n % 3], phone(n),
            ]
            for n in range(15)
        ]  # fmt: skip
        if unit == 2:
            heads = [a if not b else f"{a}{b}" for a, b in zip(LABELS, UNDER, strict=True)]
            lines = [",".join(map(str, row)) for row in [heads, *rows]]
            (folder / f"{organ}.csv").write_bytes("\r\n".join(lines).encode("gb18030"))
            continue
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.title = "登记表"
        sheet.append([f"{organ}政府信息公开申请登记表"])
        sheet.merge_cells("A1:K1")
        sheet.append(list(LABELS))
        sheet.append([b or None for b in UNDER])
        sheet.merge_cells("E2:F2")
        for column in "ABCDGHIJK":
            sheet.merge_cells(f"{column}2:{column}3")
        for row in rows:
            sheet.append(row)
        sheet.append(["合计", len(rows)])
        book.save(folder / f"{organ}.xlsx")
    return Expected(
        {
            "registered_number": ("登记编号",),
            "received_on": ("收到日期",),
            "receipt_channel": ("收到方式",),
            "applicant_kind": ("申请人/类别",),
            "organ_id": ("办理机关",),
            "due_on": ("答复期限",),
            "closed_on": ("答复日期",),
            "outcome": ("办理结果",),
        },
        ["$file", "登记编号"],
        {"type": "single"},
        persons=("姓名", "联系电话"),
    )
