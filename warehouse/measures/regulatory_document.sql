-- measure:    regulatory_document
-- records:    core.regulatory_document
-- is:         regulations and normative documents with their standing in and at the end of the report year
-- rule:       条例第二十条第(一)项;废止当日起不再有效
-- at start:   is_in_force_before_year
-- at end:     is_in_force_at_year_end, is_disclosed_at_year_end
SELECT
    d.source_system,
    d.record_id,
    d.organ_id,
    d.issued_on AS record_on,
    d.document_kind,
    d.issued_on,
    d.disclosed_on,
    d.abolished_on,
    o.organ_kind,
    d.issued_on BETWEEN getvariable('year_start') AND getvariable('year_end') AS is_issued_in_year,
    coalesce(d.disclosed_on BETWEEN getvariable('year_start') AND getvariable('year_end'), FALSE) AS is_disclosed_in_year,
    coalesce(d.abolished_on BETWEEN getvariable('year_start') AND getvariable('year_end'), FALSE) AS is_abolished_in_year,
    coalesce(d.amended_on BETWEEN getvariable('year_start') AND getvariable('year_end'), FALSE) AS is_amended_in_year,
    (d.abolished_on IS NULL OR d.abolished_on > getvariable('year_end'))
    AND NOT list_contains(d.set_aside_columns, 'abolished_on') AS is_in_force_at_year_end,
    d.issued_on < getvariable('year_start')
    AND (d.abolished_on IS NULL OR d.abolished_on >= getvariable('year_start'))
    AND NOT list_contains(d.set_aside_columns, 'abolished_on') AS is_in_force_before_year,
    coalesce(d.disclosed_on <= getvariable('year_end'), FALSE)
    AND (d.abolished_on IS NULL OR d.abolished_on > getvariable('year_end'))
    AND NOT list_contains(d.set_aside_columns, 'abolished_on') AS is_disclosed_at_year_end
FROM core.regulatory_document AS d
LEFT JOIN organ_of_year AS o USING (organ_id)
WHERE d.removed_at IS NULL AND d.issued_on <= getvariable('year_end')
