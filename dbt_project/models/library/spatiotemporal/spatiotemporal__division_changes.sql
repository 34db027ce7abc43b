-- What became of a division's code and where it came from: merged, split, recoded, established, abolished.
select
    changes.kind,
    nullif(changes.from_code, '-') as from_code,
    earlier.division_name as from_name,
    nullif(changes.to_code, '-') as to_code,
    later.division_name as to_name,
    coalesce(earlier.level, later.level) as level,
    changes.valid_from as not_before_date,
    changes.valid_to as not_after_date,
    changes.is_documented = 'yes' as is_documented,
    changes.source as evidence,
    {{ concat_text(["changes.from_code", "'>'", "changes.to_code"]) }} as change_code
from {{ ref('division_changes') }} as changes
left join {{ ref('spatiotemporal__divisions') }} as earlier
    on changes.from_code = earlier.division_code
left join {{ ref('spatiotemporal__divisions') }} as later
    on changes.to_code = later.division_code
