"""What a disk may refuse, and files that a person wrote: what is wrong is told with the remedy."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import yaml

from warehouse.errors import ConfigurationError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when there is no room."""

_REASONS = {
    errno.EROFS: "文件系统是只读的",
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.ENOENT: "上级目录不存在",
    errno.ENOTDIR: "路径中有一段不是目录",
    errno.ENAMETOOLONG: "路径太长",
    errno.ELOOP: "链接绕成了圈",
    errno.EMFILE: "打开的文件数到了上限,见 ulimit -n",
    errno.ENFILE: "整机打开的文件数到了上限",
    errno.ENOMEM: "内存不足",
    errno.EIO: "磁盘读写出错",
}


def reason_of(error: OSError) -> str:
    """Why the system refused, in the operator's words."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


FILE_MODE, FOLDER_MODE = 0o444, 0o555
"""Of what was signed for."""


def sha256_of(path: Path) -> str:
    """The fingerprint of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_read_only(folder: Path) -> None:
    """So that nobody changes by mistake what was signed for."""
    for path in folder.iterdir():
        # A link would have what it points to changed, wherever that lies.
        if not path.is_symlink():
            path.chmod(FILE_MODE)
    folder.chmod(FOLDER_MODE)


def remove_folder(folder: Path) -> None:
    """Take a folder away, even one that is read only; nothing where there is none."""
    if folder.exists():
        folder.chmod(0o755)
        shutil.rmtree(folder)


def move_in(fresh: Path, folder: Path) -> None:
    """Swap a finished folder in that lies beside its place. A folder cannot be replaced in one step, so
    the old one steps aside first and comes back if the new one cannot take its place."""
    if not folder.exists():
        fresh.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    # One that is read only may not go to another folder.
    mode = folder.stat().st_mode
    folder.chmod(0o755)
    folder.rename(aside / "folder")
    try:
        fresh.rename(folder)
    except OSError:
        (aside / "folder").rename(folder)
        folder.chmod(mode)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


class UnreadableFile(ConfigurationError):
    """A file that cannot be read as text; the message names it and says what to do."""


def text_of(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark. Raises UnreadableFile."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise UnreadableFile(f"{path}: 没有这个文件") from error
    except OSError as error:
        raise UnreadableFile(f"{path}: 读不到文件({reason_of(error)})") from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{path}: 不是 UTF-8 编码(多半由 Excel 存成了 GB18030)。"
            "请另存为“CSV UTF-8(逗号分隔)”,其他文本文件请另存为 UTF-8"
        ) from error


_FASTEST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader written in C reads eight times as fast; where there is none, the other."""
_BOOLEAN = "tag:yaml.org,2002:bool"


class YamlLoader(_FASTEST):  # type: ignore[misc]  # its base is one of two
    """The loader of every YAML file. `on`, `no`, `y` are names that mean themselves, as in YAML
    1.2: only true and false are truth values."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
        for first, resolvers in _FASTEST.yaml_implicit_resolvers.items()
    }


YamlLoader.add_implicit_resolver(
    _BOOLEAN, re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def yaml_of(text: str) -> Any:
    """The values of a YAML text, without what could run code. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=YamlLoader)
