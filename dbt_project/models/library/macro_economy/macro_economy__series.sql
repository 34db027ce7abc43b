-- The same values with the time for which each was the known one. As known on a day d:
-- where known_from <= d and (known_to is null or known_to > d).
with numbered as (
    select
        *,
        lead(vintage_date) over (partition by indicator_code, area_code, period order by vintage_date) as known_to,
        row_number() over (partition by indicator_code, area_code, period order by vintage_date) as revision,
        first_value(value) over (partition by indicator_code, area_code, period order by vintage_date) as first_value
    from {{ ref('macro_economy__observations') }}
)

select
    indicator_code,
    area_code,
    period,
    vintage_date as known_from,
    indicator_name,
    frequency,
    {{ period_start('period') }} as period_start,
    value,
    unit,
    known_to,
    known_to is null as is_current,
    cast(revision as integer) as revision_number,
    {{ growth_pct('cast(value as double)', 'cast(first_value as double)') }} as revised_pct,
    source_feed
from numbered
