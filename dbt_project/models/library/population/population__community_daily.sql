-- Persons by community, age band and sex, day by day: what population.community_counts said on each day it was built.
-- A day built again replaces itself; small cells stay suppressed.
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['as_of_date', 'community_code', 'age_band', 'sex_code']
) }}
select
    as_of_date,
    community_code,
    street_code,
    age_band,
    sex_code,
    persons_count,
    is_suppressed
from {{ ref('population__community_counts') }}
where as_of_date is not null
