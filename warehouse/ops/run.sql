-- table:      ops.run
-- title:      运行
-- is:         runs of the flows
-- grain:      one run
-- key:        run_id
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.run (
    run_id VARCHAR NOT NULL,  -- 运行编号
    flow_name VARCHAR NOT NULL,  -- 流程
    run_name VARCHAR,  -- 运行名称
    started_at TIMESTAMP NOT NULL,  -- 开始时间(北京时间)
    finished_at TIMESTAMP,  -- 结束时间(北京时间)
    run_status VARCHAR NOT NULL,  -- 结果:done 完成, partial 部分来源失败, failed 失败
    failed_sources VARCHAR  -- 失败的来源与原因,JSON
);
