-- table:      ops.correction_entry
-- title:      更正登记
-- is:         each step of a correction that was entered at the page; rows are only added, and ops.correction has those that were checked and not taken down
-- grain:      one step of one correction
-- key:        correction_number, step_number
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.correction_entry (
    correction_number INTEGER NOT NULL,  -- 更正的号
    step_number INTEGER NOT NULL,  -- 第几步,从 1 起
    state VARCHAR NOT NULL,  -- 此步之后的状态:entered 等复核, reviewed 已复核生效, returned 退回登记人, withdrawn 撤下
    done_by VARCHAR NOT NULL,  -- 谁做的
    done_at TIMESTAMP NOT NULL,  -- 何时(北京时间)
    is_signed_in BOOLEAN NOT NULL,  -- 是否为登录的人所做;否则姓名是填写的,无从核对
    remark VARCHAR,  -- 退回或撤下的理由
    table_name VARCHAR,  -- 表;此列及以下只在第 1 步填
    source_system VARCHAR,  -- 来源系统
    record_id VARCHAR,  -- 来源系统内的编号
    organ_id VARCHAR,  -- 记录所属机关
    column_name VARCHAR,  -- 列;action 为 drop 时为 *
    action VARCHAR,  -- 做法:override 改值, drop 不计
    expected_value VARCHAR,  -- 登记时来源系统中的值
    corrected_value VARCHAR,  -- 改为的值
    reason VARCHAR,  -- 理由
    reported_by VARCHAR,  -- 提出人(机关与岗位)
    ground VARCHAR,  -- 依据:文书、函件
    reviewer VARCHAR  -- 请谁复核
);
