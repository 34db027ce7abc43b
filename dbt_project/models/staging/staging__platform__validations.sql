-- One row a rule and batch, as platform.validations keeps it. Suites of libraries, marts and releases carry a prefix.
select
    feed as feed_id,
    receipt,
    suite,
    code as rule_code,
    rule as rule_name,
    dimension,
    severity,
    party,
    scope,
    success as is_passed,
    evaluated as evaluated_count,
    unexpected as unexpected_count,
    message,
    checked_at
from {{ source('platform', 'validations') }}
