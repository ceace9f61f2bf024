-- table:      ops.city_look
-- title:      查看各市
-- is:         of each city of a province, what came of the last look at its editions
-- grain:      one city
-- key:        city_id
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.city_look (
    city_id VARCHAR NOT NULL,  -- 市:省的 organs.csv 中的机关编号
    city_name VARCHAR,  -- 市的目录名;空为没有找到目录
    looked_at TIMESTAMP NOT NULL,  -- 查看时间(北京时间)
    look_status VARCHAR NOT NULL,  -- 结果:read 读到, empty 还没有版次, absent 没有目录, failed 读不到, refused 与指纹不符
    message VARCHAR  -- 原因
);
