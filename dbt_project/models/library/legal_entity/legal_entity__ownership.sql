-- One row an owner, a company and the fewest steps between them: whoever owns shares directly or through other
-- companies, along chains of at most 32. What is owned through rings of companies that own each other counts as often
-- as it goes round: the share is that of integrated ownership (Brioschi, Buzzacchi and Colombo 1989), cut off at 32
-- steps and so never too much. Chains are added up at each doubling of their length, not listed: of firms that all own
-- each other there are more chains than anything can hold. Shares that are stated to be more than the whole of a
-- company are scaled down to the whole.
{{ config(stands='content') }}
with stated as (
    select
        uscc,
        shareholder_uscc,
        resident_key,
        cast(shareholding_pct as double) as pct,
        sum(cast(shareholding_pct as double)) over (partition by uscc) as total_pct
    from {{ ref('staging__market_supervision__shareholders') }}
    where uscc is not null
),

edges as (
    select
        shareholder_uscc,
        resident_key,
        uscc,
        sum(case when total_pct > 100 then pct / total_pct else pct / 100 end) as part
    from stated
    group by shareholder_uscc, resident_key, uscc
),

walks_1 as (
    select
        shareholder_uscc as owner_uscc,
        uscc,
        sum(part) as part
    from edges
    where shareholder_uscc is not null
    group by shareholder_uscc, uscc
),

reach_1 as (
    select
        owner_uscc,
        uscc,
        1 as steps_count,
        part
    from walks_1
),
{% for n in [1, 2, 4, 8, 16] %}
    longer_{{ n }} as (
        select
            owner_uscc,
            uscc,
            steps_count,
            part
        from reach_{{ n }}
        union all
        select
            walks_{{ n }}.owner_uscc,
            reach_{{ n }}.uscc,
            {{ n }} + reach_{{ n }}.steps_count as steps_count,
            walks_{{ n }}.part * reach_{{ n }}.part as part
        from walks_{{ n }}
        inner join reach_{{ n }}
            on walks_{{ n }}.uscc = reach_{{ n }}.owner_uscc
    ),

    reach_{{ 2 * n }} as (
        select
            owner_uscc,
            uscc,
            min(steps_count) as steps_count,
            sum(part) as part
        from longer_{{ n }}
        group by owner_uscc, uscc
    ),
    {%- if not loop.last %}

        walks_{{ 2 * n }} as (
            select
                firsts.owner_uscc,
                seconds.uscc,
                sum(firsts.part * seconds.part) as part
            from walks_{{ n }} as firsts
            inner join walks_{{ n }} as seconds
                on firsts.uscc = seconds.owner_uscc
            group by firsts.owner_uscc, seconds.uscc
        ),
    {%- endif %}
{% endfor %}
companies as (
    select
        reach_32.owner_uscc,
        reach_32.uscc,
        reach_32.steps_count,
        reach_32.part / (1 + coalesce(rings.part, 0)) as part
    from reach_32
    left join reach_32 as rings
        on reach_32.owner_uscc = rings.owner_uscc and rings.owner_uscc = rings.uscc
    where reach_32.owner_uscc <> reach_32.uscc
),

persons as (
    select
        resident_key,
        uscc,
        sum(part) as part
    from edges
    where resident_key is not null
    group by resident_key, uscc
),

owners as (
    select
        'entity' as owner_kind,
        owner_uscc as owner_key,
        uscc,
        steps_count,
        part
    from companies
    union all
    select
        'person' as owner_kind,
        resident_key as owner_key,
        uscc,
        1 as steps_count,
        part
    from persons
    union all
    select
        'person' as owner_kind,
        persons.resident_key as owner_key,
        reach_32.uscc,
        reach_32.steps_count + 1 as steps_count,
        persons.part * reach_32.part as part
    from persons
    inner join reach_32
        on persons.uscc = reach_32.owner_uscc
)

select
    owner_kind,
    owner_key,
    uscc,
    cast(min(steps_count) as integer) as steps_count,
    round(100 * sum(part), 4) as effective_pct
from owners
group by owner_kind, owner_key, uscc
