-- 住户调查历年资料: one row a row of feed.statistics__household_survey.
select
    indicator_name,
    period_year,
    indicator_value,
    _receipt,
    _loaded_at
from {{ source('feed', 'statistics__household_survey') }}
