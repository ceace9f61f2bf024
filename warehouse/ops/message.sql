-- table:      ops.message
-- title:      消息
-- is:         matters a person was told of, so that each is told once and again only when it changes
-- grain:      one matter
-- key:        matter
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.message (
    matter VARCHAR NOT NULL,  -- 事由的键,如 source/ledger
    fingerprint VARCHAR NOT NULL,  -- 内容的指纹;相同则不再发
    title VARCHAR NOT NULL,  -- 标题
    message_status VARCHAR NOT NULL,  -- 状态:told 已发出, waiting 未能发出,下次再试, resolved 已了结
    changed_at TIMESTAMP NOT NULL,  -- 状态变更时间(北京时间)
    failure VARCHAR  -- 未能发出的原因(不含地址与密钥)
);
