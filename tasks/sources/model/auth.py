"""How a source knows us: the kinds of sign-in a source file can declare."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from tasks.sources.model.base import Part, Says, Text, Texts


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


class _Renewable(Part):
    expired: Annotated[
        Expired,
        Says(
            "怎样算登录失效;失效后自动重新登录一次并重发",
            "what counts as signed out; signs in again and repeats",
        ),
    ] = Expired()


class NoAuth(Part):
    """Open to everyone on the network."""

    type: Literal["none"] = "none"


class ApiKey(Part):
    """A fixed key in a header or a query parameter."""

    type: Literal["api_key"]
    value: Annotated[SecretStr, Says("密钥,写作 ${环境变量}", "the key, as ${NAME}")]
    name: Annotated[str, Says("请求头或参数的名称", "name of the header or parameter")] = (
        "X-API-Key"
    )
    location: Annotated[
        Literal["header", "query"], Says("放在请求头还是查询参数", "where it is sent")
    ] = Field("header", alias="in")


class Basic(Part):
    """HTTP Basic."""

    type: Literal["basic"]
    username: Annotated[str, Says("用户名", "user name")]
    password: Annotated[SecretStr, Says("口令", "password")]


class Bearer(Part):
    """A fixed token in the Authorization header."""

    type: Literal["bearer"]
    token: Annotated[SecretStr, Says("令牌", "the token")]
    prefix: Annotated[str, Says("令牌前的词", "word before the token")] = "Bearer"


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


class Signed(Part):
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
            "被签名的字符串模板:{method} {path} {query}(按名排序并编码){params}(按名排序不编码){timestamp} {nonce} {body} {body_digest} {key} {secret}",
            "template of what is signed: {method} {path} {query} (sorted, encoded) {params} (sorted, plain) {timestamp} {nonce} {body} {body_digest} {key} {secret}",
        ),
    ] = "{timestamp}\n{nonce}\n{query}"
    encoding: Annotated[
        Literal["hex", "hex_upper", "base64"], Says("签名的写法", "how the signature is written")
    ] = "hex"
    timestamp: Annotated[
        Literal["seconds", "milliseconds", "iso", "compact"],
        Says(
            "时间戳的写法:秒、毫秒、ISO(UTC)、yyyyMMddHHmmss(北京时间)", "how the time is written"
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


class SessionLogin(_Renewable):
    """Signs in like a browser and keeps the cookie (or a token of the answer)."""

    type: Literal["session"]
    login_path: Annotated[str, Says("登录地址", "where to sign in")]
    method: Annotated[Literal["POST", "GET"], Says("登录请求的方法", "method")] = "POST"
    body: Annotated[dict[str, SecretStr], Says("登录时提交的内容", "what is submitted")]
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
