-- measure:    site_traffic_peak
-- records:    core.site_traffic
-- is:         the visits of the portals on the day of the report year that had most
-- rule:       国办函〔2018〕12号
-- not summed: *
SELECT
    source_system,
    record_id,
    organ_id,
    traffic_on AS record_on,
    visit_count
FROM core.site_traffic
WHERE
    removed_at IS NULL AND is_portal AND traffic_on IN (
        SELECT arg_max(daily.traffic_on, (daily.visits, -epoch(daily.traffic_on)))
        FROM (
            SELECT
                traffic_on,
                sum(visit_count) AS visits
            FROM core.site_traffic
            WHERE
                removed_at IS NULL AND is_portal
                AND traffic_on BETWEEN getvariable('year_start') AND getvariable('year_end')
            GROUP BY traffic_on
        ) AS daily
    )
