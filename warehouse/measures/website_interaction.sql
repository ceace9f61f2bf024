-- measure:    website_interaction
-- records:    core.interaction
-- is:         messages, interviews, consultations and surveys received or held in the report year, by website
-- rule:       国办函〔2018〕12号;留言为领导信箱留言和网络问政,征集调查为意见征集和网上调查
-- not summed: is_closed_by_year_end, is_answered_in_public
SELECT
    i.source_system,
    i.record_id,
    coalesce(w.website_id, CASE WHEN i.site_id IS NULL THEN m.website_id END, i.organ_id) AS organ_id,
    i.received_on AS record_on,
    i.interaction_kind,
    i.interaction_kind IN ('leader_message', 'online_inquiry') AS is_message,
    i.interaction_kind IN ('consultation', 'survey') AS is_consultation,
    i.interaction_kind = 'interview' AS is_interview,
    i.closed_on,
    i.message_count,
    i.answered_count,
    i.closed_on - i.received_on AS days_to_answer,
    coalesce(i.closed_on <= getvariable('year_end'), FALSE) AS is_closed_by_year_end,
    coalesce(i.published_on <= getvariable('year_end'), FALSE) AS is_answered_in_public
FROM core.interaction AS i
LEFT JOIN website_of_year AS w ON i.site_id = w.website_id
LEFT JOIN website_of_organ AS m ON i.organ_id = m.organ_id
WHERE i.removed_at IS NULL AND i.received_on BETWEEN getvariable('year_start') AND getvariable('year_end')
