-- table:      yearly.publication
-- title:      发布登记
-- is:         every publication with its manifest and signature, each with the hash of the one before it
-- grain:      one publication
-- key:        edition_id
-- source:     this project
CREATE TABLE IF NOT EXISTS yearly.publication (
    publication_number BIGINT,  -- 第几次发布;空为尚未签名的早期版本所发布
    edition_id VARCHAR NOT NULL,  -- 版次编号
    previous_hash VARCHAR,  -- 上一次发布的清单指纹
    manifest_hash VARCHAR NOT NULL,  -- 清单的指纹
    manifest VARCHAR,  -- 清单的原文(JSON)
    signature VARCHAR,  -- 对清单的签名(Ed25519,十六进制)
    signing_key VARCHAR,  -- 签名所用密钥的公钥(十六进制)
    approval_number BIGINT,  -- 据以发布的批准
    registered_at TIMESTAMP NOT NULL  -- 登记时间(北京时间)
);
