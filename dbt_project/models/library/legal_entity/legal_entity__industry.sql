-- One row an organisation whose industry is known: division and section of GB/T 4754-2017, as the tax register has it.
with stated as (
    select
        sources.uscc,
        facts.industry_code,
        row_number() over (
            partition by sources.uscc
            order by facts.registration_date desc, facts.source_record_id desc
        ) as place
    from {{ ref('staging__tax__registrations') }} as facts
    inner join {{ ref('legal_entity__sources') }} as sources
        on facts.source_record_id = sources.record_id and sources.feed_id = 'tax__registrations'
    where sources.uscc is not null and facts.industry_code is not null
)

select
    stated.uscc,
    stated.industry_code,
    divisions.name as industry_name,
    coalesce(sections.code, divisions.code) as section_code,
    coalesce(sections.name, divisions.name) as section_name
from stated
inner join {{ ref('codes__industry') }} as divisions
    on stated.industry_code = divisions.code
left join {{ ref('codes__industry') }} as sections
    on divisions.parent = sections.code
where stated.place = 1
