-- table:      ops.approval_attempt
-- title:      批准验证
-- is:         one-time codes entered for a publication, so that none serves twice and guessing is stopped
-- grain:      one code entered
-- key:        approver, tried_at
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.approval_attempt (
    approver VARCHAR NOT NULL,  -- 批准人
    edition_id VARCHAR NOT NULL,  -- 版次编号
    attempt_status VARCHAR NOT NULL,  -- 结果:accepted 通过, wrong 不符, reused 已用过
    code_step BIGINT,  -- 验证码所属的时间步(30 秒一步);不符时为空
    tried_at TIMESTAMP NOT NULL  -- 时间(北京时间)
);
