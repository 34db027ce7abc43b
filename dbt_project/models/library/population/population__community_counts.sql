-- Persons living here (registered or floating) by community, age band and sex, safe to hand on: a cell with fewer
-- than small_cell_k persons (but not none) is empty and flagged. Ages are as of the newest update of the sources,
-- unless the var as_of_date is set.
with as_of as (
    select
        {{ newest_or_var('source_updated_date', 'as_of_date') }} as as_of_date
    from {{ ref('population__residents') }}
),

-- of each day but once: a day has many persons
birthdays as (
    select
        days.birth_date,
        bands.age_band
    from (select distinct birth_date from {{ ref('population__residents') }}) as days
    cross join as_of
    inner join {{ ref('age_bands') }} as bands
        on
            {{ age_years('days.birth_date', 'as_of.as_of_date') }} between bands.age_lo and bands.age_hi
),

people as (
    select
        residents.community_code,
        case when residents.sex_code in ('1', '2') then residents.sex_code else '0' end as sex_code,
        birthdays.age_band
    from {{ ref('population__residents') }} as residents
    inner join birthdays
        on residents.birth_date = birthdays.birth_date
    where residents.community_code is not null and residents.status in ('resident', 'floating')
),

counted as (
    select
        community_code,
        age_band,
        sex_code,
        count(*) as persons
    from people
    group by community_code, age_band, sex_code
),

cells as (
    select
        communities.code as community_code,
        communities.name as community_name,
        communities.parent as street_code,
        bands.age_band,
        bands.band_name,
        sexes.sex_code
    from {{ ref('codes__communities') }} as communities
    cross join {{ ref('age_bands') }} as bands
    cross join (values ('1'), ('2'), ('0')) as sexes (sex_code)
    where communities.valid_to is null
)

select
    cells.community_code,
    cells.community_name,
    cells.street_code,
    cells.age_band,
    cells.band_name as age_band_name,
    cells.sex_code,
    case
        when counted.persons is null then 0
        when counted.persons >= {{ var('small_cell_k', 5) }} then cast(counted.persons as integer)
    end as persons_count,
    coalesce(counted.persons < {{ var('small_cell_k', 5) }}, false) as is_suppressed,
    as_of.as_of_date
from cells
cross join as_of
left join counted
    on
        cells.community_code = counted.community_code
        and cells.age_band = counted.age_band
        and cells.sex_code = counted.sex_code
