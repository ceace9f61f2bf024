-- measure:    website
-- records:    core.website
-- is:         websites in use in the report year, with what the registry says of them
-- rule:       国办函〔2018〕12号;每个网站一张报表
-- not summed: *
SELECT
    'websites.csv' AS source_system,
    w.website_id AS record_id,
    w.website_id AS organ_id,
    w.valid_from AS record_on,
    w.website_name,
    w.home_url,
    o.organ_name,
    CASE w.website_kind
        WHEN 'portal' THEN '政府门户网站' WHEN 'department' THEN '部门网站' WHEN 'special' THEN '专项网站'
    END AS website_kind,
    w.identification_code,
    w.icp_number,
    w.police_number,
    EXISTS (
        SELECT 1 FROM core.new_media_account AS a, website_of_organ AS m
        WHERE
            m.website_id = w.website_id AND m.is_own AND a.organ_id = m.organ_id AND a.removed_at IS NULL
            AND (a.opened_on IS NULL OR a.opened_on <= getvariable('year_end'))
            AND (a.closed_on IS NULL OR a.closed_on > getvariable('year_end'))
    ) AS has_new_media
FROM website_of_year AS w
LEFT JOIN organ_of_year AS o ON w.organ_id = o.organ_id
