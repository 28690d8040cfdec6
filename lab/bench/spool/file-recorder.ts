// The least that a durable store can do: every commit interval it encodes what came, one compressed record a
// stream as the spool's journal does, appends all of it to one file, and syncs. It never sends, finds, checks
// or deletes anything: the yardstick, not a rival.
import { open } from 'node:fs/promises';
import { constants, zstdCompressSync } from 'node:zlib';
import type { Clock } from '../../../kernel/clock.ts';
import { encodeBody } from '../../../wire/body.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Recorder } from './recorder.ts';

const zstd = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const maxReadings = 20_000;

export async function keepInFile(path: string, clock: Clock, commitMs: number): Promise<Recorder> {
  const file = await open(path, 'a');
  let waiting = new Map<number, Reading[]>();
  let commits = 0;
  let stopped = false;
  let due = clock.monotonic() + commitMs;
  let running: Promise<void> = Promise.resolve();
  schedule();

  function schedule(): void {
    clock.setTimer(due - clock.monotonic(), () => {
      running = commit().finally(() => {
        // Counted from the start of a commit, as the spool does.
        due = Math.max(due + commitMs, clock.monotonic());
        if (!stopped) schedule();
      });
    });
  }

  async function commit(): Promise<void> {
    if (waiting.size === 0) return;
    const records = [...waiting.values()].flatMap(encode);
    waiting = new Map();
    await file.appendFile(Buffer.concat(records));
    await file.datasync();
    commits++;
  }

  return {
    keep(stream, readings) {
      const already = waiting.get(stream);
      if (already === undefined) waiting.set(stream, [...readings]);
      else for (const reading of readings) already.push(reading);
    },
    settled: () => running,
    commits: () => commits,
    counts: () => ({}),
    async stop() {
      stopped = true;
      await running;
      await file.close();
    },
  };
}

function encode(readings: readonly Reading[]): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at < readings.length; at += maxReadings) {
    const part = readings.slice(at, at + maxReadings);
    const { body } = encodeBody('time', part, { schema: 'columns/1', gzip: false });
    records.push(zstdCompressSync(body, zstd));
  }
  return records;
}
