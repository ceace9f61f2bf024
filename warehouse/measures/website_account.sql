-- measure:    website_account
-- records:    core.new_media_account
-- is:         new-media accounts of the organs that run websites, with their posts and last follower snapshot of the report year, by website
-- rule:       国办函〔2018〕12号;移动新媒体为主办单位自己的账号
-- at end:     *
SELECT
    a.source_system,
    a.record_id,
    m.website_id AS organ_id,
    a.opened_on AS record_on,
    a.platform,
    a.account_name,
    (
        SELECT arg_max(s.follower_count, (s.snapshot_on, s.record_id))
        FROM core.new_media_follower_snapshot AS s
        WHERE
            s.source_system = a.source_system AND s.account_id = a.record_id AND s.removed_at IS NULL
            AND s.snapshot_on BETWEEN getvariable('year_start') AND getvariable('year_end')
    ) AS follower_count,
    (
        SELECT count(*)
        FROM core.new_media_post AS p
        WHERE
            p.source_system = a.source_system AND p.account_id = a.record_id AND p.removed_at IS NULL
            AND p.posted_at >= getvariable('year_start')
            AND p.posted_at < getvariable('year_end') + INTERVAL 1 DAY
    ) AS post_count
FROM core.new_media_account AS a
INNER JOIN website_of_organ AS m ON a.organ_id = m.organ_id AND m.is_own
WHERE
    a.removed_at IS NULL AND (a.opened_on IS NULL OR a.opened_on <= getvariable('year_end'))
    AND (a.closed_on IS NULL OR a.closed_on > getvariable('year_end'))
    AND NOT list_contains(a.set_aside_columns, 'closed_on')
