-- Where the matter of each order is: the address as told, matched to a standard address. One row an order that has one.
-- The street and community of the order decide between doors of one name.
{{ address_book() }}
{{ config(answered_by='addresses') }}
{%- set asks = ['address_text', 'given_street_code', 'given_community_code'] %}
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

{{ answers_kept('stated', ['order_id'], asks) }}
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
        from unanswered
    ) as texts
)

select
    unanswered.order_id,
    unanswered.address_text,
    unanswered.given_street_code,
    unanswered.given_community_code,
    {{ address_match_columns('matched.found') }}
from unanswered
inner join matched
    on
        unanswered.address_text = matched.address_text
        and coalesce(unanswered.given_street_code, '') = coalesce(matched.given_street_code, '')
        and coalesce(unanswered.given_community_code, '') = coalesce(matched.given_community_code, '')
{{ union_kept_matches(['order_id'] + asks) }}
