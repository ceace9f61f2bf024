-- table:      ops.schema_version
-- title:      结构版本
-- is:         which releases' structure the lake has taken on, the newest counts
-- grain:      one step from a release to the next
-- key:        schema_version
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.schema_version (
    schema_version INTEGER NOT NULL,  -- 版本
    title VARCHAR NOT NULL,  -- 这一版改了什么
    migrated_at TIMESTAMP NOT NULL  -- 迁移时间(北京时间)
);
