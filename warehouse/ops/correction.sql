-- table:      ops.correction
-- title:      更正
-- is:         corrections of single values that figures take: those of the city's corrections.yaml, and those entered at the page and checked by a second person
-- grain:      one corrected value
-- key:        table_name, source_system, record_id, column_name
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.correction (
    table_name VARCHAR NOT NULL,  -- 表
    source_system VARCHAR NOT NULL,  -- 来源系统
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    column_name VARCHAR NOT NULL,  -- 列;action 为 drop 时为 *
    action VARCHAR NOT NULL,  -- 做法:override 改值, drop 不计
    expected_value VARCHAR,  -- 来源系统中仍应是的值;已变则更正失效
    corrected_value VARCHAR,  -- 改为的值
    reason VARCHAR NOT NULL,  -- 理由
    reported_by VARCHAR NOT NULL,  -- 提出人(岗位)
    decided_on DATE NOT NULL,  -- 决定日期
    correction_number INTEGER,  -- 更正的号(ops.correction_entry);空为 corrections.yaml 中的
    ground VARCHAR,  -- 依据:文书、函件
    entered_by VARCHAR,  -- 登记人
    reviewed_by VARCHAR  -- 复核人,不是登记人
);
