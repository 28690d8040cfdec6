-- All numbers behind which one event alone leapt and that no other has borne out yet, the oldest first: which of several leaps
-- were none shows one by one.
alter table checkpoint add column leapt_from int8[] not null default '{}';
update checkpoint set leapt_from = array[unproven_from] where unproven_from is not null;
alter table checkpoint drop column unproven_from;
