-- measure:    website_article
-- records:    core.article
-- is:         articles published in the report year and not withdrawn by its end, by website
-- rule:       国办函〔2018〕12号;所在网站未标明的,计入机关或其最近上级机关的网站
-- not summed: *
SELECT
    a.source_system,
    a.record_id,
    coalesce(w.website_id, CASE WHEN a.site_id IS NULL THEN m.website_id END, a.organ_id) AS organ_id,
    a.published_at::DATE AS record_on,
    CASE coalesce(a.information_kind, c.channel_kind)
        WHEN 'overview' THEN 'overview'
        WHEN 'government_news' THEN 'news'
        WHEN 'catalogue' THEN 'catalogue'
        WHEN 'disclosure_directory' THEN 'catalogue'
        ELSE 'other'
    END AS published_as,
    coalesce(
        a.interpretation_kind,
        CASE
            WHEN a.interpretation_form IN ('graphic', 'question_answer', 'video', 'interview') THEN 'product'
            WHEN a.interpretation_form IS NOT NULL OR c.channel_kind = 'interpretation' THEN 'material'
        END
    ) AS interpreted_as,
    TRUE AS is_published_in_year
FROM core.article AS a
LEFT JOIN core.channel AS c ON a.source_system = c.source_system AND a.channel_id = c.record_id
LEFT JOIN website_of_year AS w ON a.site_id = w.website_id
LEFT JOIN website_of_organ AS m ON a.organ_id = m.organ_id
WHERE
    a.published_at >= getvariable('year_start')
    AND a.published_at < getvariable('year_end') + INTERVAL 1 DAY
    AND (a.removed_at IS NULL OR a.removed_at >= getvariable('year_end') + INTERVAL 1 DAY)
