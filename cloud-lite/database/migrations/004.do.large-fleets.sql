-- A large fleet is judged by its exceptions (fleet-judgement.ts); these find the streams with losses. None of them
-- changes with an ordinary arrival: that would cost the ledger its updates in place.
create index stream_lost_lately on stream (greatest(upper(voided), upper(waived)))
  where index_kind = 'time' and (voided <> '{}' or waived <> '{}');
create index stream_lost_records on stream (id)
  where index_kind = 'sequence' and (voided <> '{}' or waived <> '{}');
create index stream_archive_lost_lately on stream_archive (high) where excused_length > 0;
create index stream_archive_lost on stream_archive (stream_id) where excused_length > 0;
create index stream_archived_records on stream (id) where index_kind = 'sequence' and archived_until is not null;

-- Lists of a stream's gaps, and of all requests, newest first.
create index gap_by_stream on gap (stream_id, id);
create index request_by_time on request (created_at, id);
