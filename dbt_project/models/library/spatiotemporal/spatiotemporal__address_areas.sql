-- Lanes, house numbers and ranges with the community that a list states for them, taken out of descriptions of areas.
-- A community that the code list has not keeps its printed name and has no code.
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
)

select
    area_id,
    cast(piece_number as integer) as piece_number,
    enrolment_year as stated_year,
    address_fragment as stated_text,
    {{ json_text('piece', 'name') }} as name,
    {{ json_text('piece', 'alias') }} as alias,
    {{ json_text('piece', 'stem') }} as number_stem,
    cast({{ json_text('piece', 'lo') }} as integer) as number_from,
    cast({{ json_text('piece', 'hi') }} as integer) as number_to,
    {{ json_text('piece', 'kind') }} as number_kind,
    cast({{ json_text('piece', 'parity') }} as integer) as parity,
    {{ json_text('piece', 'building') }} as building,
    {{ json_text('piece', 'community_code') }} as community_code,
    {{ json_text('piece', 'community_name') }} as community_name
from placed
