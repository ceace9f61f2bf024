-- table:      yearly.edition
-- title:      版次
-- is:         builds of a report: pending, published or superseded
-- grain:      one edition
-- key:        edition_id
-- source:     this project
CREATE TABLE IF NOT EXISTS yearly.edition (
    edition_id VARCHAR NOT NULL,  -- 版次编号,如 2020-1
    form VARCHAR,  -- 报表的键;空为 annual-report(年度报告)
    report_year BIGINT NOT NULL,  -- 报告年度;其他时段为终止日所在年度
    period VARCHAR,  -- 时段,如 2020Q1;空为整个报告年度
    edition_number BIGINT NOT NULL,  -- 该报表该年度第几版
    edition_status VARCHAR NOT NULL,  -- 状态:pending 待发布, published 已发布, superseded 已被替代
    layout VARCHAR NOT NULL,  -- 报表格式
    lake_snapshot BIGINT NOT NULL,  -- 取数的湖快照
    data_as_of TIMESTAMP,  -- 数据截至(北京时间)
    cell_hash VARCHAR NOT NULL,  -- 全部单元格的指纹
    definition_hash VARCHAR NOT NULL,  -- 格式、口径、规则的指纹
    definitions VARCHAR NOT NULL,  -- 格式与口径的原文(JSON),供多年后重读
    software_version VARCHAR NOT NULL,  -- 编制所用的软件版本
    findings_hash VARCHAR NOT NULL,  -- 全部核对结果的指纹
    built_at TIMESTAMP NOT NULL,  -- 编制时间(北京时间)
    built_by VARCHAR,  -- 编制人
    reason VARCHAR,  -- 另编新版的理由
    approved_by VARCHAR,  -- 批准人
    approved_at TIMESTAMP,  -- 批准时间(北京时间)
    statement VARCHAR,  -- 批准意见
    manifest_hash VARCHAR,  -- 输出文件清单的指纹
    blocking_findings BIGINT  -- 阻断性问题数
);
