-- table:      ops.load
-- title:      装载记录
-- is:         what each load brought
-- grain:      one resource loaded once
-- key:        load_id
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.load (
    load_id VARCHAR NOT NULL,  -- 装载编号
    run_id VARCHAR,  -- 所属运行(ops.run)
    source_system VARCHAR NOT NULL,  -- 来源系统
    resource VARCHAR NOT NULL,  -- 资源
    table_name VARCHAR NOT NULL,  -- 写入的表
    started_at TIMESTAMP NOT NULL,  -- 开始时间(北京时间)
    finished_at TIMESTAMP,  -- 结束时间(北京时间)
    load_status VARCHAR NOT NULL,  -- 结果:loaded 已装载, unchanged 无变化, stopped 已停止
    window_from VARCHAR,  -- 拉取窗口起
    window_to VARCHAR,  -- 拉取窗口止
    rows_read BIGINT,  -- 读到的不同的记录数;= rows_written + rows_unchanged + rows_rejected
    rows_written BIGINT,  -- 新增或更新的行数
    rows_unchanged BIGINT,  -- 相同而未写的行数
    rows_removed BIGINT,  -- 因清单中没有而标为撤回或删除的行数
    rows_rejected BIGINT,  -- 退回的记录数
    content_hash VARCHAR,  -- 落地内容与来源文件的指纹;与上次相同则无须再装载
    landing_manifest VARCHAR,  -- 落地清单文件(相对数据目录)
    is_full BOOLEAN,  -- 是否全量拉取
    message VARCHAR,  -- 停止的原因与处置,或装载时应当告知的事
    rows_served BIGINT,  -- 来源自报的记录数(来源能计数时)
    rows_fetched BIGINT,  -- 取到的记录数,重复取到的也算;= rows_left_out + rows_landed
    rows_not_selected BIGINT,  -- 不符合 where 而未落地的记录数(ops.left_out)
    rows_skipped BIGINT,  -- 工作簿中不是记录而未落地的行数(ops.left_out)
    rows_landed BIGINT,  -- 落地的记录数,重复取到的也算;= rows_joined + rows_conflicting + rows_read
    rows_joined BIGINT,  -- 编号与内容都与另一条相同而并入的次数
    rows_conflicting BIGINT,  -- 编号与留用的一条相同而内容不同的记录数(ops.reject 的 conflicting_key)
    rows_withdrawn BIGINT,  -- 本次读到的、来源自己注明已撤回的记录数
    rows_unseen BIGINT,  -- 清单中未再出现而尚未算撤回的记录数(ops.unseen)
    rows_new BIGINT,  -- 写入的行中新增的;其余为更新
    rows_rejected_again BIGINT,  -- 退回的记录中,以同样原因已经退回的
    rows_left_out BIGINT,  -- 取到而未落地的行数,重复取到的也算:未选取的记录与工作簿中不是记录的行
    moved_from VARCHAR,  -- 更新的行中此前由同一来源其他资源带来的:资源与行数,JSON
    lag_hours DOUBLE,  -- 每次往回多取的小时数;一次取全的清单为空
    has_control_total BOOLEAN  -- 来源文件是否写明了来源自己的计数(control_total)
);
