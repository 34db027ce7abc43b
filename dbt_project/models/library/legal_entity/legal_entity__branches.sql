-- One row a branch or outlet: its name is its parent's name, then its own. The parent is empty where it is registered
-- elsewhere, or where several organisations have that name.
with named as (
    select
        uscc,
        entity_name,
        regexp_extract(
            entity_name,
            '^(.+?(公司|银行|集团|中心|医院|学校|事务所|协会|商场|饭店))([^公]*(分公司|支公司|分行|支行|分店|营业部|营业所|分部|办事处|储蓄所|门市部|分校|分所|分院|邮政所|邮政支局))$',
            1
        ) as parent_name
    from {{ ref('legal_entity__names') }}
    where name_kind = 'registered'
),

parents as (
    select
        name_key,
        max(uscc) as uscc
    from {{ ref('legal_entity__names') }}
    group by name_key
    having count(distinct uscc) = 1
)

select
    named.uscc,
    named.entity_name,
    named.parent_name,
    parents.uscc as parent_uscc
from named
left join parents
    on {{ name_key('named.parent_name') }} = parents.name_key
where named.parent_name <> ''
