-- What was lost when a stream was looked at last (health/losses.ts): the ranges, since another loss may be as long.
alter table told_loss add column lost int8multirange not null default '{}';
update told_loss t set lost = coalesce((
  select range_agg(v.ranges - g.covered) from void_range v
    join stream_segment g on (g.stream_id, g.segment_id) = (v.stream_id, v.segment_id)
   where v.stream_id = t.stream_id), '{}');
alter table told_loss drop column lengths;
