-- table:      yearly.check_record
-- title:      核对所涉记录
-- is:         the records that keep a check from holding
-- grain:      one record behind one check
-- key:        edition_id, organ_id, check_key, source_system, record_id
-- source:     this project
CREATE TABLE IF NOT EXISTS yearly.check_record (
    edition_id VARCHAR NOT NULL,  -- 版次编号
    organ_id VARCHAR NOT NULL,  -- 核对的机关编号
    check_key VARCHAR NOT NULL,  -- 核对项的键
    table_name VARCHAR NOT NULL,  -- 记录所在的表
    source_system VARCHAR NOT NULL,  -- 来源系统
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    record_organ_id VARCHAR,  -- 记录所属机关
    record_on DATE,  -- 记录的日期
    detail VARCHAR  -- 不符之处
);
