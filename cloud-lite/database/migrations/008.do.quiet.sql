-- What modules said of their streams by record number that had nothing to send (health/quiet.ts).
create table stream_word (
  stream_id int8 primary key references stream on delete cascade,
  -- When to ask next, also when whoever asks is gone.
  due_at int8 not null,
  -- Asked in vain since then; null after an answer.
  unanswered_since int8,
  -- Of the last question that ended with an answer, or with the hub's word that there is none.
  asked_at int8 not null default 0,
  -- Of the last question whose answer was that the stream is watched.
  heard_at int8 not null default 0,
  -- Why it is not watched, as the module says; null where the module does not say.
  says text
);

create index stream_of_records on stream (id) where index_kind = 'sequence' and late_of is null;
