-- 社会组织登记信息: one row a row of feed.civil_affairs__social_organisations.
select
    entity_name,
    uscc,
    entity_type,
    registration_date,
    legal_representative,
    supervising_unit_name,
    entity_address,
    entity_status,
    _receipt,
    _loaded_at
from {{ source('feed', 'civil_affairs__social_organisations') }}
