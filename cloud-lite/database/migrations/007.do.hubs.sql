-- The hubs that were read: which of them is read now, what it is known by, and what it holds its partitions to be.
create table hub_read (
  hub text not null,
  consumer_group text not null,
  -- By the hub's own word; a hub that is made anew under the same name has another.
  created_at int8 not null,
  partition_ids text[] not null,
  opened_at int8 not null,
  primary key (hub, consumer_group)
);

-- Events that the hub removed before they were read. What they carried of streams that go on shows as gaps; what began
-- or ended in them does not, so that is told of (health/unread.ts).
create table unread_hole (
  id int8 generated always as identity primary key,
  hub text not null,
  consumer_group text not null,
  partition_id text not null,
  -- Sequence numbers, and the hub's times around them.
  first_sequence int8 not null,
  last_sequence int8 not null,
  from_at int8 not null,
  to_at int8 not null,
  found_at int8 not null,
  told_at int8
);
create index unread_hole_untold on unread_hole (found_at) where told_at is null;

-- Until when what each partition held is known: the hub's time of the last event taken, or when nothing was left to
-- take. Of the hub that was read last, and of the partitions that it has.
create or replace view partition_known as
  select c.partition_id, greatest(c.enqueued_at, c.idle_at) as known_until
    from checkpoint c
    left join hub_read h on (h.hub, h.consumer_group) = (c.hub, c.consumer_group)
   where (c.hub, c.consumer_group) = (
     select hub, consumer_group from checkpoint order by greatest(updated_at, idle_at) desc limit 1
   ) and (h.hub is null or c.partition_id = any(h.partition_ids));

-- Until when it is known what each stream has sent: all that its partition held by then was read. A stream that has not
-- been heard of since the hub has other partitions may be in any of them. Null before anything was read.
create view stream_known as
  select s.id as stream_id, coalesce(k.known_until, (select min(known_until) from partition_known)) as known_until
    from stream s left join partition_known k on k.partition_id = s.partition_id;
