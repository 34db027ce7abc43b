-- One row an owner, a company and the fewest steps between them: whoever owns shares directly or through other
-- companies, along chains of at most six. A chain never passes a company twice, so rings of companies that own each
-- other end; their shares through the ring are a lower bound.
with edges as (
    select
        shareholder_uscc as owner_uscc,
        uscc,
        sum(shareholding_pct) / 100.0 as part
    from {{ ref('staging__market_supervision__shareholders') }}
    where shareholder_uscc is not null and uscc is not null and shareholder_uscc <> uscc
    group by shareholder_uscc, uscc
),

chains_1 as (
    select
        owner_uscc,
        uscc,
        1 as steps_count,
        cast(part as double) as part,
        owner_uscc || '>' || uscc as chain
    from edges
),
{% for n in range(2, 7) %}
    chains_{{ n }} as (
        select
            chains_{{ n - 1 }}.owner_uscc,
            edges.uscc,
            {{ n }} as steps_count,
            chains_{{ n - 1 }}.part * cast(edges.part as double) as part,
            chains_{{ n - 1 }}.chain || '>' || edges.uscc as chain
        from chains_{{ n - 1 }}
        inner join edges
            on chains_{{ n - 1 }}.uscc = edges.owner_uscc
        where position(edges.uscc in chains_{{ n - 1 }}.chain) = 0
    ),
{% endfor %}
companies as (
    {%- for n in range(1, 7) %}
        select
            owner_uscc,
            uscc,
            steps_count,
            part
        from chains_{{ n }}
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}
),

persons as (
    select
        resident_key,
        uscc,
        sum(shareholding_pct) / 100.0 as part
    from {{ ref('staging__market_supervision__shareholders') }}
    where resident_key is not null and uscc is not null
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
        cast(part as double) as part
    from persons
    union all
    select
        'person' as owner_kind,
        persons.resident_key as owner_key,
        companies.uscc,
        companies.steps_count + 1 as steps_count,
        cast(persons.part as double) * companies.part as part
    from persons
    inner join companies
        on persons.uscc = companies.owner_uscc
)

select
    owner_kind,
    owner_key,
    uscc,
    cast(min(steps_count) as integer) as steps_count,
    round(100 * sum(part), 4) as effective_pct
from owners
group by owner_kind, owner_key, uscc
