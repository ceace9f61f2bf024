-- table:      ops.unseen
-- title:      未再出现的记录
-- is:         records in force that the last list of their resource lacked, without proof that the list was whole; they count until the source says so, or a further pull lacks them too
-- grain:      one record
-- key:        source_system, resource, record_id
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.unseen (
    source_system VARCHAR NOT NULL,  -- 来源系统
    resource VARCHAR NOT NULL,  -- 资源
    table_name VARCHAR NOT NULL,  -- 所在的表
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    unseen_since TIMESTAMP NOT NULL,  -- 何时起未再出现(北京时间)
    load_id VARCHAR NOT NULL  -- 首次未见到它的装载
);
