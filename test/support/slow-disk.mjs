// Loaded with `node --import` into a module under test: once the file that HOLDFAST_TEST_SLOW names exists, a synced
// write takes a minute. The disk of a gateway whose flash is wearing out does just that.
import { existsSync } from 'node:fs';
import { Level } from 'level';

const { batch } = Level.prototype;
Level.prototype.batch = async function slowBatch(...args) {
  if (existsSync(process.env.HOLDFAST_TEST_SLOW ?? ''))
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  return batch.apply(this, args);
};
