-- One row a decision against one party, with the organisation it is about where that can be told from the name.
select
    facts.decision_number,
    facts.party_name,
    sources.uscc,
    sources.link_method,
    sources.link_confidence,
    facts.violation_kind,
    facts.penalty_kind,
    facts.fine_10k_cny,
    facts.decision_date,
    facts.authority_name
from {{ ref('staging__market_supervision__penalties') }} as facts
left join {{ ref('legal_entity__sources') }} as sources
    on
        facts.decision_number || '|' || facts.party_name = sources.record_id
        and sources.feed_id = 'market_supervision__penalties'
