-- One row a permit, with the organisation that holds it where code or name tell.
select
    facts.licence_number,
    facts.entity_name as source_name,
    sources.uscc,
    sources.link_method,
    sources.link_confidence,
    facts.licence_kind,
    facts.licence_content,
    facts.valid_from_date,
    facts.valid_to_date,
    facts.authority_name
from {{ ref('staging__government_services__licences') }} as facts
left join {{ ref('legal_entity__sources') }} as sources
    on facts.licence_number = sources.record_id and sources.feed_id = 'government_services__licences'
