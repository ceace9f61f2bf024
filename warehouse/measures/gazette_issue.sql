-- measure:    gazette_issue
-- records:    core.gazette_issue
-- is:         gazette issues published in the report year
SELECT
    g.source_system,
    g.record_id,
    g.organ_id,
    g.published_on AS record_on,
    g.copy_count,
    o.organ_kind,
    TRUE AS is_published_in_year
FROM core.gazette_issue AS g
LEFT JOIN organ_of_year AS o USING (organ_id)
WHERE g.removed_at IS NULL AND g.published_on BETWEEN getvariable('year_start') AND getvariable('year_end')
