-- 地址匹配的人工确认: one row a row of platform.address_confirmations.
select
    alias_name,
    number_stem,
    number,
    building,
    address_code,
    confirmed_by,
    confirmed_at
from {{ source('platform', 'address_confirmations') }}
