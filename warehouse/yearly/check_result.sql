-- table:      yearly.check_result
-- title:      核对结果
-- is:         what became of each check of an edition
-- grain:      one check of one organ in one edition
-- key:        edition_id, organ_id, check_key
-- source:     this project
CREATE TABLE IF NOT EXISTS yearly.check_result (
    edition_id VARCHAR NOT NULL,  -- 版次编号
    organ_id VARCHAR NOT NULL,  -- 机关编号
    check_key VARCHAR NOT NULL,  -- 核对项的键,如 B1.t3.total
    code VARCHAR NOT NULL,  -- 规则代码
    severity VARCHAR NOT NULL,  -- 级别:block 阻断, warn 提示
    check_status VARCHAR NOT NULL,  -- 结果:pass, fail, uncertain, not_assessable, not_run
    message VARCHAR,  -- 说明
    equation VARCHAR,  -- 算式
    gap DECIMAL(24, 6),  -- 差额
    record_count BIGINT,  -- 所涉记录数
    verdict VARCHAR,  -- 人的答复
    verdict_by VARCHAR,  -- 答复人
    verdict_at TIMESTAMP  -- 答复时间(北京时间)
);
