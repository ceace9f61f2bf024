-- table:      ops.check_record
-- title:      规则检出的记录
-- is:         records that a rule found in its last run, all of them or, of a rule that finds very many, none
-- grain:      one bad row of a rule
-- key:        rule_code, source_system, record_id, detail
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.check_record (
    rule_code VARCHAR NOT NULL,  -- 规则代码
    source_system VARCHAR,  -- 来源系统
    record_id VARCHAR,  -- 来源系统内的编号
    organ_id VARCHAR,  -- 机关
    record_on DATE,  -- 据以归入年度的日期
    detail VARCHAR  -- 不符之处
);
