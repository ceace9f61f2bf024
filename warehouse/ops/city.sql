-- table:      ops.city
-- title:      湖属于哪个城市
-- is:         the root organs of the one city whose records the lake holds; another city is refused
-- grain:      one root organ, former ones included
-- key:        organ_id
-- source:     the first organs.csv that was brought in
CREATE TABLE IF NOT EXISTS ops.city (
    organ_id VARCHAR NOT NULL,  -- 根机关编号
    organ_name VARCHAR NOT NULL,  -- 根机关名称
    marked_at TIMESTAMP NOT NULL  -- 记下的时间(北京时间)
);
