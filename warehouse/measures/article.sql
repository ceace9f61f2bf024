-- measure:    article
-- records:    core.article
-- is:         articles published on the websites in the report year and not withdrawn by its end
-- rule:       条例第二十三条;年末已撤回的不计;发布在多个栏目的计一篇,任一栏目为公开栏目即算主动公开
-- not summed: *
SELECT
    a.source_system,
    a.record_id,
    a.organ_id,
    a.published_at::DATE AS record_on,
    c.channel_kind,
    coalesce(c.is_disclosure, FALSE) OR coalesce(a.other_channel_ids IS NOT NULL AND EXISTS (
        SELECT 1 FROM core.channel AS o
        WHERE
            o.source_system = a.source_system AND o.is_disclosure
            AND list_contains(string_split(a.other_channel_ids, ','), o.record_id)
    ), FALSE) AS is_disclosure,
    a.key_field,
    a.genre,
    a.interpretation_form,
    n.record_id IS NOT NULL AS is_interpreted,
    TRUE AS is_published_in_year
FROM core.article AS a
LEFT JOIN core.channel AS c ON a.source_system = c.source_system AND a.channel_id = c.record_id
LEFT JOIN (
    SELECT DISTINCT
        i.source_system,
        i.interprets_article_id AS record_id
    FROM core.article AS i
    WHERE
        i.interprets_article_id IS NOT NULL AND i.removed_at IS NULL
        AND i.published_at < getvariable('year_end') + INTERVAL 1 DAY
) AS n ON a.source_system = n.source_system AND a.record_id = n.record_id
WHERE
    a.published_at >= getvariable('year_start')
    AND a.published_at < getvariable('year_end') + INTERVAL 1 DAY
    AND (a.removed_at IS NULL OR a.removed_at >= getvariable('year_end') + INTERVAL 1 DAY)
