-- table:      yearly.city_finding
-- title:      各市版次的核对问题
-- is:         the checks of the cities' editions that did not pass, without their records
-- grain:      one open check of one organ in one report of one city
-- key:        city_id, form, period, organ_id, check_key
-- source:     the cities' lakes
CREATE TABLE IF NOT EXISTS yearly.city_finding (
    city_id VARCHAR NOT NULL,  -- 市
    form VARCHAR NOT NULL,  -- 报表的键
    period VARCHAR NOT NULL,  -- 时段
    organ_id VARCHAR NOT NULL,  -- 市内的机关编号
    check_key VARCHAR NOT NULL,  -- 核对项的键
    code VARCHAR NOT NULL,  -- 规则代码
    severity VARCHAR NOT NULL,  -- 级别:block 阻断, warn 提示
    check_status VARCHAR NOT NULL,  -- 结果:fail, uncertain, not_run
    message VARCHAR,  -- 说明
    gap DECIMAL(24, 6),  -- 差额
    record_count BIGINT,  -- 所涉记录数
    verdict VARCHAR  -- 批准人的答复;没有批准的为空
);
