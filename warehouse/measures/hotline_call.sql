-- measure:    hotline_call
-- records:    core.hotline_call
-- is:         calls and online requests to the hotline in the report year; the hotline is the city's own
-- rule:       GB/T 33358-2016;接通率只对电话来电,网络诉求不是来电;渠道未登记的按电话
SELECT
    source_system,
    record_id,
    NULL::VARCHAR AS organ_id,
    called_at::DATE AS record_on,
    request_channel,
    coalesce(request_channel, 'telephone') = 'telephone' AS is_telephone,
    request_kind,
    coalesce(is_answered, FALSE) AS is_answered,
    wait_seconds,
    disposition,
    TRUE AS is_in_year
FROM core.hotline_call
WHERE
    removed_at IS NULL
    AND called_at >= getvariable('year_start')
    AND called_at < getvariable('year_end') + INTERVAL 1 DAY
