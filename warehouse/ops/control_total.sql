-- table:      ops.control_total
-- title:      对账
-- is:         the source's own count of a window beside the warehouse's
-- grain:      one resource and window, compared once
-- key:        source_system, resource, window_from, window_to, compared_at
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.control_total (
    source_system VARCHAR NOT NULL,  -- 来源系统
    resource VARCHAR NOT NULL,  -- 资源
    window_from VARCHAR,  -- 窗口起
    window_to VARCHAR,  -- 窗口止
    source_count BIGINT,  -- 来源系统的记录数
    warehouse_count BIGINT,  -- 库内的记录数
    compared_at TIMESTAMP NOT NULL,  -- 核对时间(北京时间)
    load_id VARCHAR  -- 相关装载
);
