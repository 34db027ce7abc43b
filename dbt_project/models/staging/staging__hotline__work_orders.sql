-- 12345 接诉即办工单: one row a row of feed.hotline__work_orders.
-- Left behind, because they name a person: caller_name, phone.
select
    order_id,
    called_at,
    street_code,
    community_name,
    incident_address,
    category_1,
    category_2,
    category_3,
    order_title,
    order_text,
    livelihood_class_code,
    handler_name,
    dispatched_at,
    contacted_at,
    closed_at,
    time_limit_hours,
    is_resolved_code,
    satisfaction_code,
    is_excluded_code,
    updated_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'hotline__work_orders') }}
