-- table:      core.filed_cell
-- title:      机关自行填报的数字
-- is:         a cell of the yearly tables as an organ filed it itself
-- grain:      one organ, report year and cell
-- key:        source_system, record_id
-- source:     disclosure ledger: tables filed by organs
CREATE TABLE IF NOT EXISTS core.filed_cell (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    organ_id VARCHAR,  -- 机关编号(core.organ)
    report_year BIGINT,  -- 报告年度
    cell VARCHAR,  -- 单元格的键,如 t3.granted.natural_person
    value VARCHAR,  -- 填报的值;空为空白
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
