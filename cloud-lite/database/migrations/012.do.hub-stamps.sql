-- The last number that was taken before a leap that no event after it has borne out yet; null where there is none.
alter table checkpoint add column unproven_from int8;

-- The time that the hub states of the event that was taken last, whatever it is: by it the event is known again. enqueued_at, up
-- to when the partition is known, is a time that can be. 0 where the hub states none.
alter table checkpoint add column stamp int8 not null default 0;
