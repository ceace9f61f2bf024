-- table:      yearly.city_edition
-- title:      各市版次
-- is:         of each city of a province the edition that was taken in last, as the city keeps it
-- grain:      one report of one city
-- key:        city_id, form, period
-- source:     the cities' lakes
CREATE TABLE IF NOT EXISTS yearly.city_edition (
    city_id VARCHAR NOT NULL,  -- 市:省的 organs.csv 中的机关编号
    city_name VARCHAR NOT NULL,  -- 市的目录名,用于 --city
    form VARCHAR NOT NULL,  -- 报表的键
    period VARCHAR NOT NULL,  -- 时段,如 2020、2020Q1
    edition_id VARCHAR NOT NULL,  -- 市的版次编号,如 2020-1
    edition_number BIGINT NOT NULL,  -- 市的第几版
    edition_status VARCHAR NOT NULL,  -- 状态:pending 待发布, published 已发布
    layout VARCHAR NOT NULL,  -- 报表格式
    lake_snapshot BIGINT NOT NULL,  -- 市的湖的快照
    data_as_of TIMESTAMP NOT NULL,  -- 市的数据截至(北京时间)
    cell_hash VARCHAR NOT NULL,  -- 全部单元格的指纹
    definition_hash VARCHAR NOT NULL,  -- 格式、口径、规则的指纹
    findings_hash VARCHAR NOT NULL,  -- 全部核对结果的指纹
    manifest_hash VARCHAR,  -- 发布时文件清单的指纹;空为没有发布
    definitions VARCHAR NOT NULL,  -- 格式与口径的原文、机关、上年数、图表(JSON),与市所存的相同
    software_version VARCHAR NOT NULL,  -- 市编制所用的软件版本
    built_at TIMESTAMP NOT NULL,  -- 市的编制时间(北京时间)
    taken_at TIMESTAMP NOT NULL  -- 取入时间(北京时间)
);
