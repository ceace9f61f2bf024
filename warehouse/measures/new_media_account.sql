-- measure:    new_media_account
-- records:    core.new_media_account
-- is:         new-media accounts with their standing in and at the end of the report year
-- rule:       国办秘函〔2019〕19号;期末前两周没有发布的在用账号为超期未更新
-- at end:     is_active_at_year_end, is_silent_at_year_end
SELECT
    a.source_system,
    a.record_id,
    a.organ_id,
    a.opened_on AS record_on,
    a.platform,
    a.account_name,
    (a.closed_on IS NULL OR a.closed_on > getvariable('year_end'))
    AND NOT list_contains(a.set_aside_columns, 'closed_on') AS is_active_at_year_end,
    coalesce(a.opened_on BETWEEN getvariable('year_start') AND getvariable('year_end'), FALSE) AS is_opened_in_year,
    coalesce(a.closed_on BETWEEN getvariable('year_start') AND getvariable('year_end'), FALSE) AS is_closed_in_year,
    is_active_at_year_end AND NOT EXISTS (
        SELECT 1 FROM core.new_media_post AS p
        WHERE
            p.source_system = a.source_system AND p.account_id = a.record_id AND p.removed_at IS NULL
            AND p.posted_at >= getvariable('year_end') - INTERVAL 13 DAY
            AND p.posted_at < getvariable('year_end') + INTERVAL 1 DAY
    ) AS is_silent_at_year_end
FROM core.new_media_account AS a
WHERE a.removed_at IS NULL AND (a.opened_on IS NULL OR a.opened_on <= getvariable('year_end'))
