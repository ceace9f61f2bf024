-- table:      yearly.city_cell
-- title:      各市版次的单元格
-- is:         the figures of the cities' editions that were taken in
-- grain:      one cell of one organ and scope in one report of one city
-- key:        city_id, form, period, organ_id, scope, cell
-- source:     the cities' lakes
CREATE TABLE IF NOT EXISTS yearly.city_cell (
    city_id VARCHAR NOT NULL,  -- 市
    form VARCHAR NOT NULL,  -- 报表的键
    period VARCHAR NOT NULL,  -- 时段
    organ_id VARCHAR NOT NULL,  -- 市内的机关编号
    scope VARCHAR NOT NULL,  -- 范围:own 本机关, rolled_up 含所属
    cell VARCHAR NOT NULL,  -- 单元格的键
    value DECIMAL(24, 6),  -- 值;空为无法计算
    numerator DECIMAL(24, 6),  -- 比率的分子
    denominator DECIMAL(24, 6),  -- 比率的分母
    cell_text VARCHAR  -- 文字单元格的内容;不是文字的为空
);
