-- One row an entry of the list of abnormal operations; the list has names only.
select
    facts.entity_name as source_name,
    facts.listed_date,
    sources.uscc,
    sources.link_method,
    sources.link_confidence,
    facts.abnormal_reason,
    facts.delisted_date,
    facts.delisted_date is null as is_current,
    facts.authority_name
from {{ ref('staging__market_supervision__abnormal_list') }} as facts
left join {{ ref('legal_entity__sources') }} as sources
    on
        facts.entity_name || '|' || cast(facts.listed_date as {{ text_type() }}) = sources.record_id
        and sources.feed_id = 'market_supervision__abnormal_list'
