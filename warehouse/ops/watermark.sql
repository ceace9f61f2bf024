-- table:      ops.watermark
-- title:      水位
-- is:         up to where each resource was pulled
-- grain:      one resource
-- key:        source_system, resource
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.watermark (
    source_system VARCHAR NOT NULL,  -- 来源系统
    resource VARCHAR NOT NULL,  -- 资源
    cursor_value VARCHAR,  -- 游标值,写法同来源
    updated_at TIMESTAMP NOT NULL,  -- 更新时间(北京时间)
    load_id VARCHAR NOT NULL  -- 写入它的装载
);
