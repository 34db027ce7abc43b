-- Every value of every indicator as it was known on a date: a changed value adds a row with a later vintage.
-- Feeds keep only the newest value, so this table is the memory: it is never rebuilt from scratch. Where several
-- sources state the same value, the one named first in macro_source_names is taken.
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['indicator_code', 'area_code', 'period', 'vintage_date'],
    full_refresh=false
) }}
with ranked as (
    select
        *,
        row_number() over (
            partition by indicator_code, area_code, period
            order by case when unit_state = 'unknown' then 1 else 0 end, priority, source_feed
        ) as place
    from {{ ref('macro_economy__reports') }}
    where value is not null
),

current_values as (
    select * from ranked
    where place = 1
)

{% if is_incremental() %}
    ,

    known as (
        select
            indicator_code,
            area_code,
            period,
            value,
            unit,
            vintage_date,
            row_number() over (partition by indicator_code, area_code, period order by vintage_date desc) as place
        from {{ this }}
    )
{% endif %}

select
    current_values.indicator_code,
    current_values.indicator_name,
    current_values.area_code,
    current_values.period,
    current_values.frequency,
    current_values.vintage_date,
    current_values.value,
    current_values.unit,
    current_values.source_feed
from current_values
{% if is_incremental() %}
    left join known
        on
            current_values.indicator_code = known.indicator_code
            and current_values.area_code = known.area_code
            and current_values.period = known.period
            and known.place = 1
    where
        known.indicator_code is null
        or (
            current_values.vintage_date >= known.vintage_date
            and (current_values.value <> known.value or current_values.unit <> known.unit)
        )
{% endif %}
