-- table:      ops.check_run
-- title:      规则执行
-- is:         one execution of one rule over one table
-- grain:      one rule and execution
-- key:        check_run_id, rule_code
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.check_run (
    check_run_id VARCHAR NOT NULL,  -- 执行编号
    table_name VARCHAR NOT NULL,  -- 表
    rule_code VARCHAR NOT NULL,  -- 规则代码
    severity VARCHAR NOT NULL,  -- 级别:block 阻断, quarantine 隔离, warn 提示
    check_status VARCHAR NOT NULL,  -- 结果:pass 通过, fail 不符, not_run 未能执行
    bad_rows BIGINT,  -- 不符的记录数
    message VARCHAR,  -- 说明
    fingerprint VARCHAR NOT NULL,  -- 表的版本与规则的指纹;相同则沿用结果
    checked_at TIMESTAMP NOT NULL  -- 执行时间(北京时间)
);
