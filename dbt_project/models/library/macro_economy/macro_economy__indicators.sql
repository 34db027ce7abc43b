-- The catalogue of indicators: what each one means, and what of it is there. Names nobody has entered into the
-- catalogue yet appear with their printed name and is_registered false.
with present as (
    select
        indicator_code,
        min(indicator_name) as indicator_name,
        min(unit) as unit,
        min(frequency) as frequency,
        min(period) as first_period,
        max(period) as last_period,
        cast(count(*) as integer) as observations_count,
        cast(count(distinct area_code) as integer) as areas_count
    from {{ ref('macro_economy__observations') }}
    group by indicator_code
)

select
    coalesce(kinds.indicator_code, present.indicator_code) as indicator_code,
    coalesce(kinds.indicator_name, present.indicator_name) as indicator_name,
    coalesce(kinds.unit, present.unit) as unit,
    coalesce(kinds.frequency, present.frequency) as frequency,
    kinds.measure,
    coalesce(kinds.is_cumulative, false) as is_cumulative,
    kinds.definition,
    kinds.method,
    kinds.source,
    nullif(kinds.whole_code, 'none') as whole_code,
    nullif(kinds.deflator_code, 'none') as deflator_code,
    coalesce(kinds.is_seasonal, false) as is_seasonal,
    kinds.indicator_code is not null as is_registered,
    present.first_period,
    present.last_period,
    coalesce(present.observations_count, 0) as observations_count,
    coalesce(present.areas_count, 0) as areas_count
from {{ ref('macro_indicators') }} as kinds
full outer join present
    on kinds.indicator_code = present.indicator_code
