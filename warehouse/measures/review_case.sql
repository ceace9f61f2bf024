-- measure:    review_case
-- records:    core.review_case
-- is:         reconsideration and litigation cases that were open in the report year, with their standing at its end
-- rule:       表四:本年审结的计其结果,年末尚未审结的计“尚未审结”
-- at end:     outcome = 'pending'
-- summed:     outcome =
-- not summed: *
SELECT
    source_system,
    record_id,
    organ_id,
    accepted_on AS record_on,
    accepted_on,
    closed_on,
    case_kind,
    application_id,
    CASE
        WHEN list_contains(set_aside_columns, 'closed_on') THEN NULL
        WHEN closed_on <= getvariable('year_end') THEN outcome
        ELSE 'pending'
    END AS outcome
FROM core.review_case
WHERE
    removed_at IS NULL
    AND accepted_on <= getvariable('year_end')
    AND (closed_on IS NULL OR closed_on >= getvariable('year_start'))
