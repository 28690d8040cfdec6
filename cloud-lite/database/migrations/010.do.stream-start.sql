-- Where the stream says that it began, where that was not believed: so far back that it is not asked for until a person
-- accepts the range (ingest/plausible.ts). Each message says it, so it is noted once.
alter table stream add column said_start int8;
