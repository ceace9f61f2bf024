-- measure:    new_media_post
-- records:    core.new_media_post
-- is:         posts of the report year with their account
SELECT
    p.source_system,
    p.record_id,
    a.organ_id,
    p.posted_at::DATE AS record_on,
    a.platform,
    a.account_name,
    p.is_original,
    TRUE AS is_posted_in_year
FROM core.new_media_post AS p
LEFT JOIN core.new_media_account AS a ON p.source_system = a.source_system AND p.account_id = a.record_id
WHERE
    p.removed_at IS NULL
    AND p.posted_at >= getvariable('year_start')
    AND p.posted_at < getvariable('year_end') + INTERVAL 1 DAY
