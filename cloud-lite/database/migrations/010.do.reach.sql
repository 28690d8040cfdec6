-- Where the stream says that it began, where that was not believed: so far back that it is not asked for until a person
-- accepts the range (ingest/plausible.ts). Each message says it, so it is noted once.
alter table stream add column said_start int8;

-- Of streams by record number: records that the stream's pace explains, up to when it was heard of, and that have not come:
-- behind an outage the backlog is still to come (ingest/pace.ts).
alter table stream add column owed int8 not null default 0;
