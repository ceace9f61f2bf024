-- table:      ops.quarantine
-- title:      隔离的记录
-- is:         records, or single columns of them, that a rule set aside; figures leave them out until they are mended
-- grain:      one record and rule
-- key:        table_name, source_system, record_id, rule_code
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.quarantine (
    table_name VARCHAR NOT NULL,  -- 表
    source_system VARCHAR NOT NULL,  -- 来源系统
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    rule_code VARCHAR NOT NULL,  -- 规则代码
    row_hash VARCHAR NOT NULL,  -- 被隔离时该行的指纹
    message VARCHAR,  -- 原因
    quarantined_at TIMESTAMP NOT NULL,  -- 隔离时间(北京时间)
    columns VARCHAR  -- 只隔离这些列(以逗号分隔),其余照常计入;空为整条记录
);
