// As many readings as windows, journal, spool, sender and retention take: the source waits only when 8 MB wait.
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../../kernel/clock.ts';
import { childSettings, mark } from '../harness/child.ts';
import { cpuMicros } from '../harness/usage.ts';
import { PolledTags, tagsPerPoll } from './readings.ts';
import { keepInSpool } from './spool-recorder.ts';

export interface ClosedLoopSettings {
  readonly folder: string;
  readonly streams: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}

const { folder, streams, warmupMs, measureMs } = childSettings<ClosedLoopSettings>();
const maxWaitingBytes = 8 * 2 ** 20;
const recorder = await keepInSpool({ folder, clock: systemClock, streams, acknowledge: true });
const tags = Array.from({ length: streams }, (_, seed) => new PolledTags(seed));
let index = systemClock.now();
let kept = 0;

await keepFor(warmupMs);
mark('start');
const [cpuBefore, startedAt] = [cpuMicros(), performance.now()];
kept = 0;
await keepFor(measureMs);
// What was counted is on the disk.
await recorder.durable();
mark('end', {
  readingsPerSecond: kept / ((performance.now() - startedAt) / 1000),
  cpuMicrosPerReading: (cpuMicros() - cpuBefore) / kept,
});
await recorder.stop();

async function keepFor(ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until) {
    for (let polls = 0; polls < 20; polls++, index += 5) {
      for (let n = 0; n < streams; n++) recorder.keep(n, tags[n]!.poll(index), index + 1);
    }
    kept += 20 * streams * tagsPerPoll;
    if (recorder.windows.memoryBytes() > maxWaitingBytes) await recorder.durable();
    else await wait(0);
  }
}
