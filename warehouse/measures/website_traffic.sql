-- measure:    website_traffic
-- records:    core.site_traffic
-- is:         daily visits in the report year, by website
-- rule:       国办函〔2018〕12号;未标明网站编号的按网站名称对应
SELECT
    t.source_system,
    t.record_id,
    coalesce(w.website_id, n.website_id, CASE WHEN t.site_id IS NULL THEN m.website_id END, t.organ_id) AS organ_id,
    t.traffic_on AS record_on,
    t.visit_count,
    t.visitor_count
FROM core.site_traffic AS t
LEFT JOIN website_of_year AS w ON t.site_id = w.website_id
LEFT JOIN website_of_year AS n ON t.site_id IS NULL AND t.site_name = n.website_name
LEFT JOIN website_of_organ AS m ON t.organ_id = m.organ_id
WHERE t.removed_at IS NULL AND t.traffic_on BETWEEN getvariable('year_start') AND getvariable('year_end')
