// Fills a backlog, and says how much anonymous memory that takes beyond what the same work took while everything
// was acknowledged at once. Ends by killing itself: the next part opens what a crash leaves.
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../../kernel/clock.ts';
import { childSettings, mark } from '../harness/child.ts';
import { anonymousMB } from '../harness/usage.ts';
import { fill, fillLimits } from './fill.ts';
import { keepInSpool, type SpoolRecorder } from './spool-recorder.ts';

export interface BacklogSettings {
  readonly folder: string;
  readonly backlogMB: number;
  /** Stored and acknowledged before: buffers, caches and compiled code are in place then. */
  readonly warmupMB: number;
}

const { folder, backlogMB, warmupMB } = childSettings<BacklogSettings>();
const common = {
  folder,
  clock: systemClock,
  streams: 1,
  limits: fillLimits,
  gzip: false,
};

const warm: SpoolRecorder = await keepInSpool({ ...common, acknowledge: true });
const next = await fill(warm, warmupMB, 1);
await warm.stop();
const recorder = await keepInSpool({ ...common, acknowledge: false });
await fill(recorder, warmupMB / 4, next);
const unsentMB = () => sizeOf(recorder) / 2 ** 20;
const before = await settledMB();
const emptyMB = unsentMB();
const startedAt = performance.now();
let peak = before;
const sampler = setInterval(() => {
  peak = Math.max(peak, anonymousMB());
}, 50);
await fill(recorder, backlogMB, next * 2);
clearInterval(sampler);
const fillMs = performance.now() - startedAt;
const after = await settledMB();
mark('end', {
  growthMB: after - before,
  peakGrowthMB: peak - before,
  emptyAnonymousMB: before,
  anonymousMB: after,
  backlogMB: unsentMB() - emptyMB,
  messages: recorder.spool.depth('live').messages,
  fillMBPerSecond: backlogMB / (fillMs / 1000),
});
await wait(50);
process.kill(process.pid, 'SIGKILL');

function sizeOf({ spool }: SpoolRecorder): number {
  return spool.depth('live').bytes;
}

/** Without what only waits to be collected. */
async function settledMB(): Promise<number> {
  for (let n = 0; n < 4; n++) {
    globalThis.gc?.();
    await wait(250);
  }
  return anonymousMB();
}
