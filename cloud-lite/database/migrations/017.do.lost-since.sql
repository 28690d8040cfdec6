-- The message of the last alert of a loss, and what of the loss came after it; null where nothing did.
alter table told_loss add column said text;
alter table told_loss add column since text;
