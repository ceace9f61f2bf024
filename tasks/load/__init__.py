"""A landing into the core tables: typed rows merged by key, rejects, watermark and load record,
in one transaction."""
