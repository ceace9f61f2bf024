-- measure:    work_order
-- records:    core.work_order
-- is:         hotline work orders dispatched, due, closed or called back in the report year, or open at its end
-- rule:       GB/T 33358-2016;按时办结以办理期限在本年的工单为分母,满意以本年回访成功的工单为分母;并入其他工单的不另计,不予受理的不计到期与在办
-- at end:     is_open_at_year_end
SELECT
    source_system,
    record_id,
    organ_id,
    dispatched_at::DATE AS record_on,
    request_kind,
    dispatched_at >= getvariable('year_start')
    AND dispatched_at < getvariable('year_end') + INTERVAL 1 DAY AS is_dispatched_in_year,
    coalesce(due_at >= getvariable('year_start')
    AND due_at < getvariable('year_end') + INTERVAL 1 DAY
    AND refused_at IS NULL AND work_order_status IS DISTINCT FROM 'refused', FALSE) AS is_due_in_year,
    coalesce(closed_at <= due_at, FALSE) AS is_on_time,
    coalesce(is_called_back
    AND called_back_at >= getvariable('year_start')
    AND called_back_at < getvariable('year_end') + INTERVAL 1 DAY, FALSE) AS is_called_back_in_year,
    coalesce(is_satisfied, FALSE) AS is_satisfied,
    coalesce(is_solved, FALSE) AS is_solved,
    responded_at IS NOT NULL AS is_responded,
    coalesce(closed_at >= getvariable('year_start')
    AND closed_at < getvariable('year_end') + INTERVAL 1 DAY, FALSE) AS is_closed_in_year,
    dispatched_at < getvariable('year_end') + INTERVAL 1 DAY
    AND (closed_at IS NULL OR closed_at >= getvariable('year_end') + INTERVAL 1 DAY)
    AND coalesce(work_order_status NOT IN ('closed', 'refused'), TRUE)
    AND (refused_at IS NULL OR refused_at >= getvariable('year_end') + INTERVAL 1 DAY) AS is_open_at_year_end,
    CAST(date_diff('minute', dispatched_at, closed_at) / 1440 AS DECIMAL(18, 4)) AS days_to_close
FROM core.work_order
WHERE
    removed_at IS NULL
    AND merged_into_id IS NULL
    AND work_order_status IS DISTINCT FROM 'merged'
    AND dispatched_at < getvariable('year_end') + INTERVAL 1 DAY
    AND (
        greatest(dispatched_at, due_at, called_back_at, closed_at) >= getvariable('year_start')
        OR closed_at IS NULL
    )
