-- measure:    site_traffic
-- records:    core.site_traffic
-- is:         daily visits of the websites in the report year
SELECT
    source_system,
    record_id,
    organ_id,
    traffic_on AS record_on,
    is_portal,
    visit_count,
    visitor_count,
    TRUE AS is_in_year
FROM core.site_traffic
WHERE removed_at IS NULL AND traffic_on BETWEEN getvariable('year_start') AND getvariable('year_end')
