-- One row a registered household of living members. Its head is the member recorded as such; with none, or several, the
-- one updated last stands in and has_recorded_head says so.
{{ config(remade_by='household_key', changed_in={'population__residents': 'household_key'}) }}
with members as (
    select
        household_key,
        person_key,
        registered_community_code as community_code,
        source_updated_date,
        coalesce(family_relation_code = '0', false) as is_head,
        row_number() over (
            partition by household_key
            order by
                case when family_relation_code = '0' then 0 else 1 end asc,
                source_updated_date desc,
                person_key asc
        ) as place
    from {{ ref('population__residents') }}
    where household_key is not null and status = 'resident' and {{ of_changed_records('household_key') }}
)

select
    members.household_key,
    max(case when members.place = 1 then members.person_key end) as head_key,
    max(case when members.place = 1 then members.community_code end) as community_code,
    max(case when members.place = 1 then communities.parent end) as street_code,
    cast(count(*) as integer) as members_count,
    cast(sum(case when members.is_head then 1 else 0 end) as integer) = 1 as has_recorded_head,
    count(distinct members.community_code) > 1 as is_split,
    max(members.source_updated_date) as source_updated_date
from members
left join {{ ref('codes__communities') }} as communities
    on members.community_code = communities.code
group by members.household_key
