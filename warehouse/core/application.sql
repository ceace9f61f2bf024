-- table:      core.application
-- title:      政府信息公开申请
-- is:         one application for government information disclosure as its organ registered it
-- grain:      one application
-- key:        source_system, record_id
-- source:     disclosure ledger: applications; monthly application registers (.xlsx) of organs without a system
-- partition:  year(received_on)
CREATE TABLE IF NOT EXISTS core.application (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    organ_id VARCHAR,  -- 机关编号(core.organ)
    registered_number VARCHAR,  -- 登记编号
    receipt_channel VARCHAR,  -- 收到方式:in_person 当面, mail 信函, online 网络, fax 传真, other 其他
    applicant_kind VARCHAR,  -- 申请人类别:natural_person 自然人, commercial_enterprise 商业企业, research_institution 科研机构, public_welfare_organization 社会公益组织, legal_service_organization 法律服务机构, other_organization 其他;空为未登记
    received_on DATE,  -- 收到日期(条例第三十一条)
    corrected_on DATE,  -- 收到补正的日期,答复期限由此重新起算(第三十条)
    extended_on DATE,  -- 延长答复期限的日期(第三十三条)
    consultation_working_days BIGINT,  -- 征求第三方或其他机关意见的工作日数,不计入期限(第三十三条)
    due_on DATE,  -- 来源系统登记的答复期限
    closed_on DATE,  -- 办结日期;空为在办
    outcome VARCHAR,  -- 办理结果:表三第三项各行的键,如 granted、denied_state_secret;空为未登记
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
