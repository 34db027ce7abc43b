-- 网上留言与答复: one row a row of feed.hotline__messages.
select
    message_id,
    message_user,
    message_title,
    posted_at,
    message_text,
    reply_text,
    replied_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'hotline__messages') }}
