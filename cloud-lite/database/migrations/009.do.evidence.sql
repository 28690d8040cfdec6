-- When the hub had the newest message of the stream, by the hub's time and never later than ours. last_arrival_at is when
-- the row was written: what was set aside and accepted late, or read late, was heard of then, and not now.
alter table stream add column heard_at int8 not null default 0;

-- Of streams by record number: the positions that the stream's reach grew by and nothing explains, less what its pace and
-- the time explain since (ingest/plausible.ts), as of leapt_at.
alter table stream add column leapt int8 not null default 0;
alter table stream add column leapt_at int8 not null default 0;
-- A second message bore out where the stream is. Until then two others that agree with each other move it.
alter table stream add column is_placed bool not null default false;
alter table stream add column rival int8range not null default 'empty';

-- Where the client begins again: behind the event before the last that was taken, so that this one comes once more, and
-- shows by its time whether the partition is the one that was read (ingest/hub-identity.ts).
alter table checkpoint add column again_offset text not null default '';
