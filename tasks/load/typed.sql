-- How a landed text becomes a typed value; NULL when it is none. Every macro takes text that
-- `text_of` has cleaned, except `text_of` itself. Used by typed.py, which makes `beijing(instant)`.

-- The kinds of blank that offices and vendors put around a value.
CREATE OR REPLACE TEMP MACRO blanks() AS
    concat(' ', chr(9), chr(10), chr(13), chr(160), chr(12288), chr(65279));

-- Without blanks around it; nothing is NULL. Most values have none, and looking is cheaper
-- than trimming.
CREATE OR REPLACE TEMP MACRO text_of(raw) AS
    CASE WHEN unicode(raw) <= 32 OR unicode(raw) IN (160, 12288, 65279)
              OR suffix(raw, ' ') OR suffix(raw, chr(12288)) OR suffix(raw, chr(9)) OR suffix(raw, chr(10))
              OR suffix(raw, chr(13)) OR suffix(raw, chr(160)) OR suffix(raw, chr(65279))
         THEN nullif(trim(raw, blanks()), '')
         ELSE raw END;

-- Full-width digits and marks, as Chinese input methods write them.
CREATE OR REPLACE TEMP MACRO half_width(t) AS
    translate(t, '０１２３４５６７８９，．／－＋：（）〇' || chr(12288), '0123456789,./-+:()0 ');

-- 1234, 1,234.5, 12.3万, 3 件; a unit of count behind the number is no harm.
CREATE OR REPLACE TEMP MACRO number_written(t) AS
    CASE WHEN regexp_full_match(t, '[-+]?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)? *(?:万|亿)? *(?:元|件|次|人|条|个|册|项|宗|户|期|天|日|篇)?')
         THEN TRY(
            TRY_CAST(replace(regexp_extract(t, '^[-+]?[0-9,]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?'), ',', '') AS DECIMAL(28, 6))
            * CASE WHEN contains(t, '万') THEN 10000 WHEN contains(t, '亿') THEN 100000000 ELSE 1 END)
    END;

CREATE OR REPLACE TEMP MACRO number_of(t) AS number_written(half_width(t));

-- A fraction is no whole number; it is refused, not rounded.
CREATE OR REPLACE TEMP MACRO whole_number(n) AS
    CASE WHEN n = floor(n) THEN TRY_CAST(n AS BIGINT) END;

CREATE OR REPLACE TEMP MACRO integer_of(t) AS
    CASE WHEN regexp_full_match(t, '-?[0-9]{1,18}') THEN TRY_CAST(t AS BIGINT)
         ELSE whole_number(number_of(t)) END;

-- A time without a zone is the source's zone; a day stays the day it is.
CREATE OR REPLACE TEMP MACRO local_moment(t, zone) AS
    CASE WHEN zone = 'Asia/Shanghai' OR NOT contains(t, ':') THEN TRY_CAST(t AS TIMESTAMP)
         ELSE beijing(timezone(zone, TRY_CAST(t AS TIMESTAMP))) END;

-- 2020-03-05, 2020/3/5 9:05, 2020-03-05T09:05:00+08:00
CREATE OR REPLACE TEMP MACRO iso_moment(t, zone) AS
    CASE WHEN contains(substr(t, 11), 'Z') OR contains(substr(t, 11), '+') OR contains(substr(t, 11), '-')
         THEN beijing(TRY_CAST(t AS TIMESTAMPTZ))
         ELSE local_moment(t, zone) END;

CREATE OR REPLACE TEMP MACRO epoch_moment(seconds) AS
    TRY(beijing(make_timestamp(CAST(round(CAST(seconds AS DOUBLE) * 1e6) AS BIGINT))));

-- Days since 1899-12-30, as spreadsheets count, with the time of day as the fraction.
CREATE OR REPLACE TEMP MACRO excel_moment(days) AS
    TRY(TIMESTAMP '1899-12-30' + to_seconds(CAST(round(days * 86400) AS BIGINT)));

-- A bare number, told by its size: spreadsheet day, yyyymmdd, epoch seconds or milliseconds,
-- yyyymmddHHMMSS.
CREATE OR REPLACE TEMP MACRO number_moment(t, zone) AS
    CASE WHEN length(t) = 8 AND NOT contains(t, '.') THEN try_strptime(t, '%Y%m%d')
         WHEN length(t) = 14 AND NOT contains(t, '.') THEN local_moment(strftime(try_strptime(t, '%Y%m%d%H%M%S'), '%Y-%m-%d %H:%M:%S'), zone)
         WHEN TRY_CAST(t AS DOUBLE) BETWEEN 20000 AND 80000 THEN excel_moment(TRY_CAST(t AS DOUBLE))
         WHEN TRY_CAST(t AS DOUBLE) BETWEEN 1e8 AND 1e10 THEN epoch_moment(TRY_CAST(t AS DOUBLE))
         WHEN TRY_CAST(t AS DOUBLE) BETWEEN 1e11 AND 1e13 THEN epoch_moment(TRY_CAST(t AS DOUBLE) / 1000)
    END;

-- /Date(1577808000000+0800)/: an instant in milliseconds; the zone only says where it was written.
CREATE OR REPLACE TEMP MACRO script_moment(t) AS
    epoch_moment(TRY_CAST(regexp_extract(t, '^/Date\((-?[0-9]+)', 1) AS BIGINT) / 1000);

-- Thu, 05 Mar 2020 10:00:00 GMT; Mar 5, 2020 10:00:00 AM; Thu Mar 05 10:00:00 CST 2020, where CST
-- is what Java calls Beijing time.
CREATE OR REPLACE TEMP MACRO english_moment(t, zone) AS
    coalesce(
        beijing(try_strptime(regexp_replace(t, ' (?:GMT|UTC?|Z)$', ' +0000'), '%a, %d %b %Y %H:%M:%S %z')),
        local_moment(strftime(try_strptime(replace(t, ' CST ', ' '),
            ['%b %d, %Y %I:%M:%S %p', '%b %d, %Y, %I:%M:%S %p', '%a %b %d %H:%M:%S %Y']),
            '%Y-%m-%d %H:%M:%S'), zone));

-- 二〇二〇年三月十八日 with digits.
CREATE OR REPLACE TEMP MACRO with_digits(t) AS
    translate(
        regexp_replace(regexp_replace(regexp_replace(regexp_replace(t,
            '([二三])十([一二三四五六七八九])', '\1\2', 'g'),
            '([二三])十', '\1零', 'g'),
            '十([一二三四五六七八九])', '一\1', 'g'),
            '十', '一零', 'g'),
        '〇零○一二三四五六七八九', '000123456789');

-- 2020年3月5日 14时30分, 2020.3.5, 2020年3月5号, 2020-03-05.14:30:00; `h` in half-width characters.
CREATE OR REPLACE TEMP MACRO rewritten(h) AS
    trim(regexp_replace(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    regexp_replace(
                        regexp_replace(h, '^([0-9]{4}) *[年./-] *([0-9]{1,2}) *[月./-] *([0-9]{1,2}) *[日号]?', '\1-\2-\3 '),
                        '[时点]', ':'),
                    '分([0-9]{1,2})秒', ':\1'),
                '[分秒]', ''),
            '[ T]+\.?', ' ', 'g'),
        '( [0-9]{1,2}:[0-9]{2})(Z|[+-][0-9:]+)$', '\1:00\2'));

-- A macro's argument is written out wherever the macro names it, and planning the whole would
-- take longer than a small load. A lambda names it once.
CREATE OR REPLACE TEMP MACRO written_moment(h, zone) AS
    list_transform([rewritten(h)], lambda w: iso_moment(w, zone))[1];

CREATE OR REPLACE TEMP MACRO uncommon_moment(h, zone) AS
    CASE WHEN TRY_CAST(h AS DOUBLE) IS NOT NULL AND (length(h) < 10 OR h[5] <> '.')
              THEN number_moment(h, zone)
         -- Of 20/3/5 nobody knows which is the year.
         WHEN regexp_matches(h, '^[0-9]{1,3}[/-]') THEN NULL
         ELSE coalesce(iso_moment(h, zone), written_moment(h, zone), number_moment(h, zone))
    END;

-- The common ways of writing a day or a moment, as Beijing time.
-- The commonest forms are looked for first; they need no more care.
CREATE OR REPLACE TEMP MACRO moment_of(t, zone) AS
    CASE WHEN t LIKE '____-__-__ __:__:__' OR t LIKE '____-__-__' OR t LIKE '____-__-__T__:__:__'
              THEN local_moment(t, zone)
         WHEN length(t) = 13 AND TRY_CAST(t AS BIGINT) IS NOT NULL
              THEN epoch_moment(TRY_CAST(t AS BIGINT) / 1000)
         WHEN unicode(t) BETWEEN 48 AND 57 OR unicode(t) BETWEEN 65296 AND 65305 OR unicode(t) = 12295
              OR unicode(t) IN (unicode('一'), unicode('二'))
              THEN list_transform(
                  [half_width(CASE WHEN unicode(t) IN (unicode('一'), unicode('二')) THEN with_digits(t) ELSE t END)],
                  lambda h: uncommon_moment(h, zone))[1]
         WHEN unicode(t) = 47 THEN script_moment(t)
         WHEN unicode(t) BETWEEN 65 AND 90
              THEN list_transform([t], lambda h: english_moment(h, zone))[1]
    END;
