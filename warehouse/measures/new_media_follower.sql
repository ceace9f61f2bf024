-- measure:    new_media_follower
-- records:    core.new_media_follower_snapshot
-- is:         each account's last follower snapshot of the report year
-- at end:     *
SELECT
    s.source_system,
    s.record_id,
    a.organ_id,
    s.snapshot_on AS record_on,
    a.platform,
    a.account_name,
    s.follower_count
FROM core.new_media_follower_snapshot AS s
LEFT JOIN core.new_media_account AS a ON s.source_system = a.source_system AND s.account_id = a.record_id
WHERE s.removed_at IS NULL AND s.snapshot_on BETWEEN getvariable('year_start') AND getvariable('year_end')
QUALIFY row_number() OVER (PARTITION BY s.source_system, s.account_id ORDER BY s.snapshot_on DESC, s.record_id) = 1
