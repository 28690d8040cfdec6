-- A large fleet is judged by its exceptions (fleet-judgement.ts); these find the streams with losses. None of them
-- changes with an ordinary arrival: that would cost the ledger its updates in place.
create index stream_lost_lately on stream (greatest(upper(voided), upper(waived)))
  where index_kind = 'time' and (voided <> '{}' or waived <> '{}');
create index stream_lost_records on stream (id)
  where index_kind = 'sequence' and (voided <> '{}' or waived <> '{}');

-- The end of what arrived, without unpacking all of covered, which may be long.
alter table stream add column newest int8 generated always as (upper(covered)) stored;

-- Lists of a stream's gaps, and of all requests, newest first.
create index gap_by_stream on gap (stream_id, id);
create index request_by_time on request (created_at, id);
