"""`nianbao move-catalog`: the lake's catalog from SQLite to PostgreSQL."""

from __future__ import annotations


def move_catalog() -> None:
    """把湖的目录库从 SQLite 迁到 NIANBAO_CATALOG 所指的 PostgreSQL。

    先停止 nianbao serve 与 worker。数据文件不动;版次所引用的快照编号不变。迁移要么完整,
    要么不发生;迁移后原文件改名为 catalog.sqlite.moved,确认无误后可删除。
    """
    from tasks.settings import Settings
    from warehouse.catalog import PostgresCatalog, sqlite_of
    from warehouse.errors import ConfigurationError
    from warehouse.lake import Lake
    from warehouse.move_catalog import move_catalog as move

    settings = Settings()
    address = settings.catalog.get_secret_value()
    if not address:
        raise ConfigurationError("没有设 NIANBAO_CATALOG:不知道要迁到哪个 PostgreSQL 库")
    source = sqlite_of(settings.home)
    lake = Lake(
        *(settings.home, settings.memory_limit, settings.threads),
        write_timeout=10,
        temporary=settings.temporary,
        placed=settings.placed(),
    )
    moved = move(lake, source, PostgresCatalog.of(address))
    print(
        f"已把 {moved.tables} 张目录表共 {moved.rows:,} 行迁到 {moved.target},最新快照 {moved.snapshot}。"
    )
    print(f"原目录库改名为 {source.moved_to};用 nianbao status 确认后可删除。")
