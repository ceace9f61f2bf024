"""The beginning of a source file, from a few answers: what most files need, with comments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.sources.model.paginator import paginator_kinds
from warehouse.disk import text_of
from warehouse.tables import table

TEMPLATES = Path(__file__).with_name("templates")

AUTHS = {
    "none": "{type: none}",
    "api_key": '{type: api_key, name: X-API-Key, value: "${@_KEY}"}',
    "basic": '{type: basic, username: "${@_USER}", password: "${@_PASSWORD}"}',
    "bearer": '{type: bearer, token: "${@_TOKEN}"}',
    "oauth2_client_credentials": (
        "\n  type: oauth2_client_credentials\n  token_url: /oauth/token        # 换取令牌的地址\n"
        '  client_id: "${@_CLIENT_ID}"\n  client_secret: "${@_CLIENT_SECRET}"'
    ),
    "signed": (
        '\n  type: signed\n  key: "${@_KEY_ID}"\n  secret: "${@_SECRET}"\n  algorithm: hmac_sha256\n'
        '  canonical: "{timestamp}\\n{nonce}\\n{query}"   # 被签名的字符串,按厂商文档修改\n'
        '  headers: {X-App-Key: "{key}", X-Timestamp: "{timestamp}", X-Nonce: "{nonce}", X-Signature: "{signature}"}'
    ),
    "session": (
        "\n  type: session\n  login_path: /login\n"
        '  body: {username: "${@_USER}", password: "${@_PASSWORD}"}\n'
        "  cookie: SESSION               # 登录成功必有的 Cookie"
    ),
}
PAGINATORS = {name: kind.EXAMPLE for name, kind in paginator_kinds().items()}


@dataclass(frozen=True)
class Answers:
    """What is asked: name and title of the system, address, sign-in, and one list.

    Without an address the source is a folder of workbooks, and `path` says where.
    """

    name: str
    title: str
    base_url: str
    auth: str
    table: str
    path: str
    paginator: str


def starting_file(answers: Answers) -> str:
    """The text of a source file that can be checked at once and then filled in.

    Raises KeyError for an unknown table, sign-in or paging.
    """
    prefix = f"NIANBAO_{answers.name.upper()}"
    target = table(f"core.{answers.table}")
    auth = AUTHS[answers.auth].replace("@", prefix)
    width = max(len(column.name) for column in target.business_columns) + 12
    connection = f"""base_url: {answers.base_url}
# 密钥等写在环境变量或 <数据目录>/<城市>.env 中,不写在本文件里
auth: {auth}
http: {{timeout_seconds: 30, retries: 5, concurrency: 4}}
"""
    request = f"""    path: {answers.path}
    paginator: {PAGINATORS[answers.paginator]}
    records: data.list            # 响应体中记录列表的路径
    key: id                       # 记录编号的路径
    # cursor: {{field: updatedAt, param: updated_since, format: "%Y-%m-%dT%H:%M:%S", lag: 2d}}
    # removed 是登记作废(误登、重登);申请人撤回的照计,在 outcome 代码表中对照为 other_misc
    # removed: {{path: status, equals: deleted, at: deletedAt}}
    # control_total: {{path: {answers.path}/count, total: count}}
"""
    folder = f"""    workbook: {{folder: "{answers.path}"}}   # 目录,相对本文件;可写 sheets: [登记表]
    key: 编号                     # 编号一列的标题;各单位会重号时写 [$file, 编号]
    # where: [{{path: 编号, present: true}}]
"""
    path = "路径" if answers.base_url else "列标题"
    fields = "\n".join(
        f"      {f'# {column.name}: {path}':<{width}}  # {column.sql_type} {column.meaning}"
        for column in target.business_columns
    )
    return f"""# {answers.title}。各键的说明见 docs/connect.zh.md;写完运行 nianbao source check 本文件
name: {answers.name}
title: {answers.title}
{connection if answers.base_url else ""}timezone: Asia/Shanghai
# code_maps:                      # 代码表:来源代码 → 本库代码
#   outcome: {{values: {{"01": granted}}, unknown: reject}}
resources:
  - name: {answers.table}s
    title: {target.title}
    table: {answers.table}
{request if answers.base_url else folder}    # 允许保存的字段:列: {path}。去掉行首的 # 并写上{path};没有声明的字段不会被保存
    fields:
{fields}
"""


def templates() -> dict[str, str]:
    """The systems for which there is a file to begin with, each with what it connects."""
    return {
        file.stem: text_of(file).partition("\n")[0].removeprefix("# ")
        for file in sorted(TEMPLATES.glob("*.yaml"))
    }


def file_from(template: str, name: str, title: str, base_url: str) -> str:
    """The text of a source file for a system of a known kind. Raises KeyError for an unknown one."""
    if template not in templates():
        raise KeyError(template)
    text = text_of(TEMPLATES / f"{template}.yaml")
    filled = {
        "@PREFIX": f"NIANBAO_{name.upper()}",
        "@base_url": base_url,
        "@title": title,
        "@name": name,
    }
    for place, value in filled.items():
        text = text.replace(place, value)
    return text
