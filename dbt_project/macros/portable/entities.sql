{# Legal entities, said once for every engine. #}

{# Who a name belongs to, as JSON (uscc, entity_name, confidence, method), or NULL: warehouse/entities/functions.py on
   DuckDB; on Spark a Python function registered under the same name. It looks into legal_entity.names as it stands. #}
{% macro entity_match(expr) %}lakehouse_entity_match({{ expr }}){% endmacro %}

{# The same text for names of organisations that differ in blanks, brackets, case, or in how the limited company is spelled. #}
{% macro entity_name_key(expr) %}replace({{ name_key(expr) }}, '有限责任公司', '有限公司'){% endmacro %}

{# Whether a name is another one, with or without its head, or a part of it without a legal form: the whole name of a company
   also begins the names of its branches. Both as entity_name_key. #}
{% macro is_name_or_short_for(name, whole) %}
    (
        substring({{ whole }}, greatest(length({{ whole }}) - length({{ name }}) + 1, 1)) = {{ name }}
        or position('公司' in {{ name }}) = 0 and position({{ name }} in {{ whole }}) > 0
    )
{%- endmacro %}

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
    from {{ ref('staging__market_supervision__key_persons') }}
    where uscc is not null
    union
    select uscc
    from {{ ref('staging__market_supervision__shareholders') }}
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
