-- table:      core.fee_charge
-- title:      收费
-- is:         a fee charged
-- grain:      one charge or one return of charges
-- key:        source_system, record_id
-- source:     disclosure ledger: fees
CREATE TABLE IF NOT EXISTS core.fee_charge (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    organ_id VARCHAR,  -- 机关编号(core.organ)
    fee_kind VARCHAR,  -- 类别:administrative_fee 行政事业性收费, information_processing_fee 信息处理费
    item_id VARCHAR,  -- 事项编号(core.power_item.record_id)
    charged_on DATE,  -- 收取日期;汇总填报为所属月末日
    amount_yuan DECIMAL(18, 2),  -- 金额(元)
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
