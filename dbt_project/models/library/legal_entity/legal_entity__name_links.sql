-- One row a name as some register writes it: the organisation it belongs to, or none where that cannot be told.
-- The matcher (docs/legal-entities.md) looks into the names of the library.
-- depends_on: {{ ref('legal_entity__names') }}
{{ config(answered_by='entity_names') }}
with written as (
    select party_name as source_name
    from {{ ref('staging__market_supervision__penalties') }}
    union
    select entity_name as source_name
    from {{ ref('staging__market_supervision__abnormal_list') }}
    union
    select entity_name as source_name
    from {{ ref('staging__government_services__licences') }}
    union
    select entity_name as source_name
    from {{ ref('staging__tax__registrations') }}
    union
    select entity_name as source_name
    from {{ ref('staging__social_security__employers') }}
    union
    select entity_name as source_name
    from {{ ref('staging__tax__arrears') }}
),

named as (
    select source_name
    from written
    where source_name is not null
),

{% set answers = ['uscc', 'entity_name', 'link_method', 'link_confidence'] %}
{{ answers_kept('named', ['source_name'], [], answers) }}
answered as (
    select
        source_name,
        {{ entity_match('source_name') }} as answer
    from unanswered
)

select
    source_name,
    {{ json_text('answer', 'uscc') }} as uscc,
    {{ json_text('answer', 'entity_name') }} as entity_name,
    {{ json_text('answer', 'method') }} as link_method,
    cast({{ json_text('answer', 'confidence') }} as decimal(4, 3)) as link_confidence
from answered
{{ union_kept(['source_name'] + answers) }}
