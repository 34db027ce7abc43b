-- What published lists of divisions say, one row an entry, and whether the library knows the division: by its code, or
-- where a list has names only, by name and street among those of today.
with county as (
    select
        'statistics__county_codes' as source_feed,
        {{ concat_text(["list_publisher", "'/'", "list_month", "'/'", "division_code"]) }} as entry_code,
        list_publisher,
        list_month,
        division_code as listed_code,
        division_code,
        cast(null as {{ text_type() }}) as parent_code,
        division_name
    from {{ ref('staging__statistics__county_codes') }}
),

areas as (
    select
        'statistics__area_codes' as source_feed,
        area_code as entry_code,
        cast(null as {{ text_type() }}) as list_publisher,
        cast(null as {{ text_type() }}) as list_month,
        area_code as listed_code,
        {{ division_of_area_code('area_code') }} as division_code,
        {{ division_of_area_code('area_parent_code') }} as parent_code,
        division_name
    from {{ ref('staging__statistics__area_codes') }}
),

named as (
    select
        'planning__communities' as source_feed,
        {{ concat_text(["listed.street_code", "'/'", "listed.community_name"]) }} as entry_code,
        cast(null as {{ text_type() }}) as list_publisher,
        cast(null as {{ text_type() }}) as list_month,
        cast(null as {{ text_type() }}) as listed_code,
        known.division_code,
        listed.street_code as parent_code,
        listed.community_name as division_name
    from {{ ref('staging__planning__communities') }} as listed
    left join {{ ref('spatiotemporal__divisions') }} as known
        on
            listed.street_code = known.parent_code
            and listed.community_name = known.division_name
            and known.is_current
),

entries as (
    select * from county
    union all
    select * from areas
    union all
    select * from named
),

known as (
    select
        division_code,
        max(case when is_current then 1 else 0 end) as now
    from {{ ref('spatiotemporal__divisions') }}
    group by division_code
)

select
    entries.source_feed,
    entries.entry_code,
    entries.list_publisher,
    entries.list_month,
    entries.listed_code,
    entries.division_code,
    entries.parent_code,
    entries.division_name,
    known.division_code is not null as is_known,
    coalesce(known.now, 0) = 1 as is_current
from entries
left join known
    on entries.division_code = known.division_code
