-- The addresses that registers state for a person, matched to standard addresses. One row a person and kind of address;
-- the newest registration counts. What the register says of the community helps to tell doors of one name apart.
{{ address_book() }}
{{ config(
    answered_by='addresses', remade_by='resident_key',
    changed_in={'public_security__household': 'resident_key', 'public_security__floating_population': 'resident_key'}) }}
with registered as (
    select
        resident_key,
        'registered' as address_kind,
        registered_address as address_text,
        cast(null as {{ text_type() }}) as given_street_code,
        community_code as given_community_code,
        row_number() over (
            partition by resident_key
            order by updated_at desc, registered_address asc, community_code asc
        ) as place
    from {{ ref('staging__public_security__household') }}
    where resident_key is not null and registered_address is not null and {{ of_changed_records('resident_key') }}
    union all
    select
        people.resident_key,
        'residence' as address_kind,
        people.residence_address as address_text,
        streets.code as given_street_code,
        communities.code as given_community_code,
        row_number() over (
            partition by people.resident_key
            order by people.registration_date desc, people.residence_address asc, communities.code asc, streets.code asc
        ) as place
    from {{ ref('staging__public_security__floating_population') }} as people
    left join {{ ref('codes__streets') }} as streets
        on {{ division_key('people.street_name') }} = {{ division_key('streets.name') }}
    left join {{ ref('codes__communities') }} as communities
        on
            streets.code = communities.parent
            and {{ division_key('people.community_name') }} = {{ division_key('communities.name') }}
    where
        people.resident_key is not null and people.residence_address is not null
        and {{ of_changed_records('people.resident_key') }}
),

stated as (
    select
        resident_key,
        address_kind,
        address_text,
        given_street_code,
        given_community_code
    from registered
    where place = 1
),

{{ matches_of_stated(['resident_key', 'address_kind'], hints=true) }}
