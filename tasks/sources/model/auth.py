"""How a source knows us: the kinds of sign-in a source file can declare."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from tasks.sources.model.base import Part, Says, Text, Texts

NAMED_TIMESTAMPS = ("seconds", "milliseconds", "iso", "compact")


class Expired(Part):
    """How an answer says that the sign-in has run out."""

    status: Annotated[
        tuple[int, ...], Says("表示登录失效的 HTTP 状态码", "HTTP statuses that mean signed out")
    ] = (401,)
    path: Annotated[
        str | None,
        Says(
            "响应体中业务状态码的路径(HTTP 200 而业务码表示失效时用)",
            "path of a business code in the body",
        ),
    ] = None
    values: Annotated[Texts, Says("表示失效的业务状态码", "codes that mean signed out")] = ()
    contains: Annotated[
        str | None,
        Says(
            "响应中含有此文字即为失效(登录失效后以 HTTP 200 返回登录页的系统)",
            "an answer with this text means signed out (systems that answer with their sign-in page)",
        ),
    ] = None


class _SignIn(Part):
    """What every kind of sign-in answers."""

    @property
    def paths(self) -> list[str]:
        """Paths of an answer that tell whether the sign-in still holds."""
        return []


class _Renewable(_SignIn):
    expired: Annotated[
        Expired,
        Says(
            "怎样算登录失效;失效后自动重新登录一次并重发",
            "what counts as signed out; signs in again and repeats",
        ),
    ] = Expired()

    @property
    def paths(self) -> list[str]:
        return [self.expired.path] if self.expired.path else []


class NoAuth(_SignIn):
    """Open to everyone on the network."""

    type: Literal["none"] = "none"


class ApiKey(_SignIn):
    """A fixed key in a header or a query parameter."""

    type: Literal["api_key"]
    value: Annotated[SecretStr, Says("密钥,写作 ${环境变量}", "the key, as ${NAME}")]
    name: Annotated[str, Says("请求头或参数的名称", "name of the header or parameter")] = (
        "X-API-Key"
    )
    location: Annotated[
        Literal["header", "query"], Says("放在请求头还是查询参数", "where it is sent")
    ] = Field("header", alias="in")


class Basic(_SignIn):
    """HTTP Basic."""

    type: Literal["basic"]
    username: Annotated[str, Says("用户名", "user name")]
    password: Annotated[SecretStr, Says("口令", "password")]


class Bearer(_SignIn):
    """A fixed token in the Authorization header."""

    type: Literal["bearer"]
    token: Annotated[SecretStr, Says("令牌", "the token")]
    prefix: Annotated[str, Says("令牌前的词", "word before the token")] = "Bearer"


TokenParam = Annotated[
    str | None,
    Says(
        "以查询参数携带令牌时的参数名,代替请求头",
        "query parameter that carries the token, instead of the header",
    ),
]


class _Token(_Renewable):
    token_url: Annotated[
        str,
        Says(
            "换取令牌的地址;可写相对 base_url 的路径", "token endpoint; may be relative to base_url"
        ),
    ]
    token: Annotated[str, Says("响应体中令牌的路径", "path of the token in the answer")] = (
        "access_token"
    )
    expires_in: Annotated[
        str, Says("响应体中有效秒数的路径;没有时只在失效后更换", "path of the lifetime in seconds")
    ] = "expires_in"
    body_type: Annotated[
        Literal["form", "json"], Says("换取令牌时请求体的格式", "format of the token request")
    ] = "form"
    extra: Annotated[
        dict[str, Text], Says("换取令牌时另带的参数", "further parameters of the token request")
    ] = Field(default_factory=dict)
    scope: Annotated[str | None, Says("权限范围", "scope")] = None
    header: Annotated[str, Says("携带令牌的请求头", "header that carries the token")] = (
        "Authorization"
    )
    prefix: Annotated[str, Says("令牌前的词;没有则写空", "word before the token")] = "Bearer"
    token_param: TokenParam = None


class OAuth2ClientCredentials(_Token):
    """OAuth 2 client credentials grant; the token is renewed during a pull."""

    type: Literal["oauth2_client_credentials"]
    client_id: Annotated[str, Says("应用编号", "client id")]
    client_secret: Annotated[SecretStr, Says("应用密钥", "client secret")]
    send_client: Annotated[
        Literal["body", "basic"],
        Says("应用编号与密钥放在请求体还是 Basic 头", "where the client is named"),
    ] = "body"


class OAuth2Password(_Token):
    """OAuth 2 password grant; the token is renewed during a pull."""

    type: Literal["oauth2_password"]
    username: Annotated[str, Says("用户名", "user name")]
    password: Annotated[SecretStr, Says("口令", "password")]
    client_id: Annotated[str | None, Says("应用编号", "client id")] = None
    client_secret: Annotated[SecretStr | None, Says("应用密钥", "client secret")] = None
    send_client: Annotated[
        Literal["body", "basic"],
        Says("应用编号与密钥放在请求体还是 Basic 头", "where the client is named"),
    ] = "body"


class Signed(_SignIn):
    """Every request carries a signature over its own parts."""

    type: Literal["signed"]
    algorithm: Annotated[
        Literal[
            "hmac_sha256",
            "hmac_sha1",
            "hmac_sha512",
            "hmac_md5",
            "hmac_sm3",
            "sha256",
            "sha1",
            "sha512",
            "md5",
            "sm3",
        ],
        Says(
            "签名算法;hmac_ 开头的以 secret 为密钥,其余为普通摘要",
            "digest; hmac_… is keyed with the secret",
        ),
    ] = "hmac_sha256"
    key: Annotated[str, Says("应用编号(公开的那一半)", "the public half")] = ""
    secret: Annotated[SecretStr, Says("签名密钥", "signing secret")]
    canonical: Annotated[
        str,
        Says(
            "被签名的字符串模板:{method} {path} {query}(按名排序并编码){params}(按名排序不编码,a=1&b=2){joined}(同上,连写作 a1b2){values}(只有值){timestamp} {nonce} {body} {body_digest} {body_md5} {body_md5_base64} {body_sha256} {key} {secret}",
            "template of what is signed: {method} {path} {query} (sorted, encoded) {params} (sorted, plain, a=1&b=2) {joined} (the same as a1b2) {values} (values only) {timestamp} {nonce} {body} {body_digest} {body_md5} {body_md5_base64} {body_sha256} {key} {secret}",
        ),
    ] = "{timestamp}\n{nonce}\n{query}"
    hmac_key: Annotated[
        str,
        Says(
            "hmac_ 所用的密钥模板,如 {secret}&", "template of the key of hmac_…, such as {secret}&"
        ),
    ] = "{secret}"
    encoding: Annotated[
        Literal["hex", "hex_upper", "base64"], Says("签名的写法", "how the signature is written")
    ] = "hex"
    timestamp: Annotated[
        str,
        Says(
            "时间戳的写法:seconds 秒、milliseconds 毫秒、iso(UTC)、compact(yyyyMMddHHmmss,北京时间),或 strftime 格式如 %Y-%m-%d %H:%M:%S(北京时间)",
            "how the time is written: seconds, milliseconds, iso (UTC), compact (yyyyMMddHHmmss, Beijing time) or a strftime format (Beijing time)",
        ),
    ] = "seconds"
    headers: Annotated[
        dict[str, str],
        Says("随请求发送的头,可用 {key} {timestamp} {nonce} {signature}", "headers sent"),
    ] = Field(default_factory=dict)
    params: Annotated[
        dict[str, str],
        Says(
            "随请求发送的查询参数,占位同上;除含 {signature} 的外都计入签名",
            "query parameters sent; all but the signature are signed",
        ),
    ] = Field(default_factory=dict)
    body: Annotated[
        dict[str, str],
        Says(
            "随请求写入请求体的键,占位同上;除含 {signature} 的外都计入签名",
            "keys written into the body; all but the signature are signed",
        ),
    ] = Field(default_factory=dict)

    @field_validator("timestamp")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in NAMED_TIMESTAMPS and "%" not in value:
            raise ValueError(
                f"时间戳的写法 {value} 不认识;允许:{'、'.join(NAMED_TIMESTAMPS)} 或含 % 的 strftime 格式"
            )
        return value


class SignInPage(Part):
    """The page before a sign-in, whose hidden value must be sent along."""

    path: Annotated[str, Says("页面的地址", "address of the page")]
    pattern: Annotated[
        str,
        Says("正则表达式;第一个分组即所取的值", "regular expression; its first group is the value"),
    ]
    field: Annotated[
        str, Says("提交登录时以此名带上所取的值", "name under which the value is submitted")
    ]

    @field_validator("pattern")
    @classmethod
    def _has_a_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"正则表达式有误:{error}") from error
        if not groups:
            raise ValueError('正则表达式须有一个分组,如 name="_csrf" value="([^"]+)"')
        return value


class SessionLogin(_Renewable):
    """Signs in like a browser and keeps the cookie (or a token of the answer)."""

    type: Literal["session"]
    login_path: Annotated[str, Says("登录地址", "where to sign in")]
    method: Annotated[Literal["POST", "GET"], Says("登录请求的方法", "method")] = "POST"
    body: Annotated[
        dict[str, SecretStr],
        Says(
            "登录时提交的内容;JSON 中的内层写作 user.name",
            "what is submitted; inside objects of a JSON body as user.name",
        ),
    ]
    body_type: Annotated[
        Literal["form", "json"], Says("登录请求体的格式", "format of the body")
    ] = "form"
    cookie: Annotated[
        str | None,
        Says("登录成功必有的 Cookie 名;没有它即登录失败", "cookie that proves the sign-in"),
    ] = None
    token: Annotated[
        str | None,
        Says("响应体中令牌的路径(以令牌代替 Cookie 的系统)", "path of a token in the answer"),
    ] = None
    header: Annotated[str, Says("携带令牌的请求头", "header that carries the token")] = (
        "Authorization"
    )
    prefix: Annotated[str, Says("令牌前的词;没有则写空", "word before the token")] = ""
    token_param: TokenParam = None
    page: Annotated[
        SignInPage | None,
        Says("登录前先取的页面(取其中的一次性令牌与 Cookie)", "page to fetch before signing in"),
    ] = None
    signed_out_location: Annotated[
        str | None,
        Says(
            "被重定向到含有此文字的地址即为登录失效",
            "a redirect to an address with this text means signed out",
        ),
    ] = None


Auth = Annotated[
    NoAuth
    | ApiKey
    | Basic
    | Bearer
    | OAuth2ClientCredentials
    | OAuth2Password
    | Signed
    | SessionLogin,
    Field(discriminator="type"),
]
