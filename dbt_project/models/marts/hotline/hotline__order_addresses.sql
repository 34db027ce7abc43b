-- Where the matter of each order is: the address as told, matched to a standard address. One row an order that has one.
-- The street and community of the order decide between doors of one name.
{{ address_book() }}
with stated as (
    select
        orders.order_id,
        orders.incident_address as address_text,
        orders.street_code as given_street_code,
        communities.code as given_community_code
    from {{ ref('staging__hotline__work_orders') }} as orders
    left join {{ ref('codes__communities') }} as communities
        on
            orders.street_code = communities.parent
            and {{ division_key('orders.community_name') }} = {{ division_key('communities.name') }}
    where orders.incident_address is not null
),

matched as (
    select
        address_text,
        given_street_code,
        given_community_code,
        {{ address_match('address_text', 'given_street_code', 'given_community_code') }} as found
    from (
        select distinct
            address_text,
            given_street_code,
            given_community_code
        from stated
    ) as texts
)

select
    stated.order_id,
    stated.address_text,
    stated.given_community_code,
    {{ address_match_columns('matched.found') }}
from stated
inner join matched
    on
        stated.address_text = matched.address_text
        and coalesce(stated.given_street_code, '') = coalesce(matched.given_street_code, '')
        and coalesce(stated.given_community_code, '') = coalesce(matched.given_community_code, '')
