-- How long each web message waited for its answer; texts stay in the feed.
select
    message_id,
    {{ local_date('posted_at') }} as posted_date,
    {{ month_start(local_date('posted_at')) }} as month,
    {{ local_date('replied_at') }} as replied_date,
    replied_at is not null as is_replied,
    case
        when replied_at >= posted_at then round({{ hours_between('posted_at', 'replied_at') }} / 24.0, 3)
    end as response_days,
    case
        when replied_at >= posted_at
            then {{ hours_between('posted_at', 'replied_at') }} / 24.0 <= {{ var('message_reply_limit_days', 15) }}
        else false
    end as is_replied_in_time
from {{ ref('staging__hotline__messages') }}
