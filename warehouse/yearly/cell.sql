-- table:      yearly.cell
-- title:      单元格
-- is:         the figures of an edition, long
-- grain:      one cell of one organ and scope in one edition
-- key:        edition_id, organ_id, scope, cell
-- source:     this project
CREATE TABLE IF NOT EXISTS yearly.cell (
    edition_id VARCHAR NOT NULL,  -- 版次编号
    organ_id VARCHAR NOT NULL,  -- 机关编号
    scope VARCHAR NOT NULL,  -- 范围:own 本机关, rolled_up 含所属
    cell VARCHAR NOT NULL,  -- 单元格的键,如 t3.granted.natural_person
    table_key VARCHAR NOT NULL,  -- 表
    row_key VARCHAR NOT NULL,  -- 行
    column_key VARCHAR NOT NULL,  -- 列
    value DECIMAL(24, 6),  -- 值;空为无法计算
    numerator DECIMAL(24, 6),  -- 比率的分子
    denominator DECIMAL(24, 6),  -- 比率的分母
    cell_text VARCHAR  -- 文字单元格的内容;不是文字的为空
);
