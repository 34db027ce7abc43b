-- Every value of every indicator as it was known on a date: a changed value adds a row with a later vintage.
-- Feeds keep only the newest value, so this table is the memory: it is never rebuilt from scratch.
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['indicator_code', 'area_code', 'period', 'vintage_date'],
    full_refresh=false
) }}
with yearly as (
    select
        coalesce(names.indicator_code, 'x_' || substring(md5(facts.indicator_name), 1, 10)) as indicator_code,
        facts.indicator_name,
        '110102' as area_code,
        cast(facts.period_year as {{ text_type() }}) as period,
        'year' as frequency,
        cast(facts.indicator_value as decimal(24, 6)) as value,
        facts.indicator_unit as unit,
        {{ local_date('facts._loaded_at') }} as vintage_date
    from {{ ref('staging__statistics__indicators') }} as facts
    left join {{ ref('macro_indicators') }} as names
        on facts.indicator_name = names.indicator_name
),

monthly as (
    {% for area in ['national', 'city', 'rural'] %}
        select
            'cpi_{{ area }}_yoy100' as indicator_code,
            names.indicator_name,
            '000000' as area_code,
            facts.period_month as period,
            'month' as frequency,
            cast(facts.cpi_{{ area }}_yoy100 as decimal(24, 6)) as value,
            names.unit,
            {{ local_date('facts._loaded_at') }} as vintage_date
        from {{ ref('staging__statistics__cpi') }} as facts
        inner join {{ ref('macro_indicators') }} as names
            on names.indicator_code = 'cpi_{{ area }}_yoy100'
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

current_values as (
    select * from yearly
    union all
    select * from monthly
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
    current_values.unit
from current_values
{% if is_incremental() %}
    left join known
        on
            current_values.indicator_code = known.indicator_code
            and current_values.area_code = known.area_code
            and current_values.period = known.period
            and known.place = 1
    where
        current_values.value is not null
        and (
            known.indicator_code is null
            or (
                current_values.vintage_date >= known.vintage_date
                and (current_values.value <> known.value or current_values.unit <> known.unit)
            )
        )
{% else %}
    where current_values.value is not null
{% endif %}
