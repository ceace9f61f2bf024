-- table:      ops.left_out
-- title:      未装载的记录
-- is:         records that a source has and that no core table takes, as they are now: those that `where` does not select, and rows of workbooks that are no records
-- grain:      one record, or one row of a workbook
-- key:        source_system, resource, reason, record_id, origin
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.left_out (
    source_system VARCHAR NOT NULL,  -- 来源系统
    resource VARCHAR NOT NULL,  -- 资源
    table_name VARCHAR NOT NULL,  -- 本应写入的表
    record_id VARCHAR,  -- 来源系统内的编号;工作簿中不是记录的行没有
    reason VARCHAR NOT NULL,  -- 原因:not_selected 不符合 where, total 合计行, note 备注或落款, heading 重复的表头, numbering 栏次, nothing_declared 没有声明的列有值
    origin VARCHAR NOT NULL,  -- 出处:落地文件与行号,或工作簿、工作表与行号
    found_at TIMESTAMP NOT NULL,  -- 首次发现(北京时间)
    load_id VARCHAR NOT NULL  -- 发现它的装载
);
