-- Lanes, house numbers and ranges with the community that a list states for them, taken out of descriptions of areas.
-- A community that the code list has not keeps its printed name and has no code. The position is that of the compound
-- or short lane of the name.
with described as (
    select
        md5(enrolment_year || '|' || enrolment_school_name || '|' || address_fragment) as area_id,
        enrolment_year,
        address_fragment,
        {{ address_pieces('address_fragment', 'printed_community_name') }} as pieces
    from {{ ref('staging__education__enrolment_areas') }}
    where printed_community_name is not null
),

parted as (
    select
        area_id,
        enrolment_year,
        address_fragment,
        {{ explode_list('pieces') }} as piece
    from described
),

placed as (
    select
        area_id,
        enrolment_year,
        address_fragment,
        piece,
        row_number() over (partition by area_id order by piece) as piece_number
    from (
        select distinct
            area_id,
            enrolment_year,
            address_fragment,
            piece
        from parted
    ) as once
),

pieces as (
    select
        area_id,
        cast(piece_number as integer) as piece_number,
        enrolment_year,
        address_fragment,
        piece,
        {{ json_text('piece', 'name') }} as name,
        {{ json_text('piece', 'alias') }} as alias
    from placed
),

-- a name stands for one place only where its addresses lie within 250 m or so
positions as (
    select
        kind,
        name,
        avg(longitude_cgcs2000) as longitude_cgcs2000,
        avg(latitude_cgcs2000) as latitude_cgcs2000
    from (
        select
            'compound' as kind,
            compound_name as name,
            longitude_cgcs2000,
            latitude_cgcs2000
        from {{ ref('spatiotemporal__addresses') }}
        where compound_name is not null and longitude_cgcs2000 is not null
        union all
        select
            'lane' as kind,
            lane_name as name,
            longitude_cgcs2000,
            latitude_cgcs2000
        from {{ ref('spatiotemporal__addresses') }}
        where lane_name is not null and longitude_cgcs2000 is not null
    ) as named
    group by kind, name
    having
        max(longitude_cgcs2000) - min(longitude_cgcs2000) < 0.003
        and max(latitude_cgcs2000) - min(latitude_cgcs2000) < 0.0025
)

select
    pieces.area_id,
    pieces.piece_number,
    pieces.enrolment_year as stated_year,
    pieces.address_fragment as stated_text,
    pieces.name,
    pieces.alias,
    {{ json_text('pieces.piece', 'stem') }} as number_stem,
    cast({{ json_text('pieces.piece', 'lo') }} as integer) as number_from,
    cast({{ json_text('pieces.piece', 'hi') }} as integer) as number_to,
    {{ json_text('pieces.piece', 'kind') }} as number_kind,
    cast({{ json_text('pieces.piece', 'parity') }} as integer) as parity,
    {{ json_text('pieces.piece', 'building') }} as building,
    {{ json_text('pieces.piece', 'community_code') }} as community_code,
    {{ json_text('pieces.piece', 'community_name') }} as community_name,
    coalesce(by_alias.longitude_cgcs2000, by_name.longitude_cgcs2000, by_lane.longitude_cgcs2000) as longitude_cgcs2000,
    coalesce(by_alias.latitude_cgcs2000, by_name.latitude_cgcs2000, by_lane.latitude_cgcs2000) as latitude_cgcs2000
from pieces
left join positions as by_alias
    on pieces.alias = by_alias.name and by_alias.kind = 'compound'
left join positions as by_name
    on pieces.name = by_name.name and by_name.kind = 'compound'
left join positions as by_lane
    on pieces.name = by_lane.name and by_lane.kind = 'lane'
