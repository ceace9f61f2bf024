-- table:      ops.reject
-- title:      退回的记录
-- is:         records that could not be typed or lack what is required
-- grain:      one reason for one record
-- key:        reject_id
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.reject (
    reject_id VARCHAR NOT NULL,  -- 退回编号
    load_id VARCHAR NOT NULL,  -- 装载编号
    source_system VARCHAR NOT NULL,  -- 来源系统
    resource VARCHAR NOT NULL,  -- 资源
    table_name VARCHAR NOT NULL,  -- 本应写入的表
    record_id VARCHAR,  -- 来源系统内的编号
    field VARCHAR,  -- 字段
    reason VARCHAR NOT NULL,  -- 原因代码
    found VARCHAR,  -- 读到的值
    expected VARCHAR,  -- 应有的值
    origin VARCHAR,  -- 出处:落地文件与行号,或工作簿、工作表与行号
    payload VARCHAR,  -- 落地的记录(仅声明的字段),JSON
    rejected_at TIMESTAMP NOT NULL,  -- 退回时间(北京时间)
    reject_status VARCHAR NOT NULL,  -- 状态:open 待处理, resolved 已解决
    resolved_at TIMESTAMP  -- 解决时间(北京时间)
);
