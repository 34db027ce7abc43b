-- Where each sensor stands: the nearest standard address within 300 m, and the community of what is around it.
{{ address_book() }}
with placed as (
    select
        sensor_id,
        {{ point_longitude('geom_cgcs2000') }} as longitude_cgcs2000,
        {{ point_latitude('geom_cgcs2000') }} as latitude_cgcs2000
    from {{ ref('staging__city_sensing__sensors') }}
    where geom_cgcs2000 is not null
),

found_addresses as (
    select
        sensor_id,
        longitude_cgcs2000,
        latitude_cgcs2000,
        {{ address_at('longitude_cgcs2000', 'latitude_cgcs2000') }} as found
    from placed
)

select
    sensor_id,
    longitude_cgcs2000,
    latitude_cgcs2000,
    {{ json_text('found', 'address_id') }} as address_id,
    {{ json_text('found', 'standard_address') }} as standard_address,
    cast({{ json_text('found', 'accuracy_m') }} as double) as distance_m,
    {{ json_text('found', 'street_code') }} as street_code,
    {{ json_text('found', 'community_code') }} as community_code
from found_addresses
