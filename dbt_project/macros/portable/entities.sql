{# Legal entities, said once for every engine. #}

{# Who a name belongs to, as JSON (uscc, entity_name, confidence, method), or NULL: warehouse/entities/functions.py on
   DuckDB; on Spark a Python function registered under the same name. It looks into legal_entity.names as it stands. #}
{% macro entity_match(expr) %}lakehouse_entity_match({{ expr }}){% endmacro %}

{# Organisations whose code a register states, usable as it stands: one row a code. #}
{% macro known_entities() %}
    select uscc
    from {{ ref('staging__market_supervision__enterprises') }}
    where uscc is not null
    union
    select uscc
    from {{ ref('staging__civil_affairs__social_organisations') }}
    where uscc is not null
    union
    select uscc
    from {{ ref('staging__staffing__institutions') }}
    where uscc is not null
    union
    select uscc
    from {{ ref('staging__market_supervision__listed_companies') }}
    where uscc is not null
    union
    select uscc
    from {{ ref('staging__market_supervision__changes') }}
    where uscc is not null
    union
    select uscc
    from {{ ref('staging__tax__registrations') }}
    where uscc is not null
    union
    select uscc
    from {{ ref('staging__social_security__employers') }}
    where uscc is not null
    union
    select uscc
    from {{ ref('staging__government_services__licences') }}
    where uscc is not null
{% endmacro %}
