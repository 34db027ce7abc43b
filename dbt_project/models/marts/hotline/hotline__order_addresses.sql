-- Where the matter of each order is: the address as told, matched to a standard address. One row an order that has one.
-- The street and community of the order decide between doors of one name.
{{ address_book() }}
{{ config(answered_by='addresses') }}
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

{{ matches_of_stated(['order_id'], hints=true) }}
