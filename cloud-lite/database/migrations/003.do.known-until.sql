-- Which partition carries the stream: what has been sent to it and not been read yet is neither missing
-- nor silent.
alter table stream add column partition_id text not null default '';

-- Until when what each partition held is known: the hub's time of the last event taken, or when nothing was
-- left to take. Of the hub that was read last; rows of hubs that are read no more stay behind for ever.
create view partition_known as
  select partition_id, greatest(enqueued_at, idle_at) as known_until
    from checkpoint
   where (hub, consumer_group) = (
     select hub, consumer_group from checkpoint order by greatest(updated_at, idle_at) desc limit 1
   );
