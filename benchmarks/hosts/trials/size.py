"""How large a city's lake is."""

from __future__ import annotations

import statistics

from benchmarks.hosts.trials.ground import Ground, Told


def size(ground: Ground) -> Told:
    """Files and catalog rows of a city's lake."""
    ground.see_pulled(ground.site.cities[:1])
    cities = [city for city in ground.site.cities if ground.has_lake(city)]
    found = []
    for city in cities[:3]:
        database = f"nianbao_{city}"
        tables = ground.site.sql(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'ducklake%'",
            database,
        )
        rows = sum(
            int(ground.site.sql(f'SELECT count(*) FROM "{name}"', database)[0][0])
            for (name,) in tables
        )
        files = int(ground.site.sql("SELECT count(*) FROM ducklake_data_file", database)[0][0])
        size = int(ground.site.sql(f"SELECT pg_database_size('{database}')", database)[0][0])
        found.append({"files": files, "catalog_rows": rows, "catalog_bytes": size})
    middle = {key: round(statistics.median(one[key] for one in found)) for key in found[0]}
    return {"cities": len(cities), **middle, "faults": []}
