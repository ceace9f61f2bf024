-- table:      ops.drift
-- title:      来源结构变化
-- is:         fields that appeared, vanished or changed type at a source
-- grain:      one change of one field
-- key:        source_system, resource, kind, path
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.drift (
    source_system VARCHAR NOT NULL,  -- 来源系统
    resource VARCHAR NOT NULL,  -- 资源
    kind VARCHAR NOT NULL,  -- 变化:new_field 新字段, missing_field 缺字段, retyped_field 类型改变, not_kept 已知而不保存, no_cursor_value 有记录没有游标值
    path VARCHAR NOT NULL,  -- 字段路径
    expected VARCHAR,  -- 原先
    found VARCHAR,  -- 现在
    first_seen_at TIMESTAMP NOT NULL,  -- 首次发现(北京时间)
    load_id VARCHAR  -- 相关装载
);
