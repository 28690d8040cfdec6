// One contender keeps readings that come at a steady pace. Marks `start` and `end` enclose what is measured.
import { setPriority } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../../kernel/clock.ts';
import { childSettings, mark } from '../harness/child.ts';
import { cpuMicros } from '../harness/usage.ts';
import { type ContenderSettings, makeContender } from './contenders.ts';
import { Polls } from './readings.ts';
import type { Recorder } from './recorder.ts';

export interface PacedSettings extends ContenderSettings {
  /** All streams together. */
  readonly readingsPerSecond: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  /** Ask for the highest priority, so that the delays are this process's own. */
  readonly urgent?: boolean;
}

const settings = childSettings<PacedSettings>();
if (settings.urgent) raisePriority();
const recorder = await makeContender(settings, systemClock);
const pace = startPace(recorder);
await wait(settings.warmupMs);
mark('start');
const [cpuBefore, commitsBefore, keptBefore, startedAt] = [
  cpuMicros(),
  recorder.commits(),
  pace.kept(),
  performance.now(),
];
const delays = monitorEventLoopDelay({ resolution: 1 });
delays.enable();
await wait(settings.measureMs);
delays.disable();
const readings = pace.kept() - keptBefore;
mark('end', {
  readings,
  cpuMicrosPerReading: (cpuMicros() - cpuBefore) / readings,
  coreShare: (cpuMicros() - cpuBefore) / 1000 / (performance.now() - startedAt),
  commits: recorder.commits() - commitsBefore,
  loopDelayP99Ms: delays.percentile(99) / 1e6,
  loopDelayMaxMs: delays.max / 1e6,
  ...recorder.counts(),
});
pace.stop();
// What is on its way to the disk is counted; what stopping writes is not.
await wait(1500);
await recorder.stop();

/** Emits what is due, every few milliseconds, whatever became late meanwhile included. */
function startPace(recorder: Recorder) {
  const { streams, readingsPerSecond } = settings;
  const polls = new Polls(streams, readingsPerSecond, systemClock.now());
  const origin = systemClock.monotonic();
  const timer = setInterval(() => polls.emitUntil(recorder, systemClock.monotonic() - origin), 10);
  return {
    kept: () => polls.readings,
    stop: () => clearInterval(timer),
  };
}

function raisePriority(): void {
  try {
    setPriority(-20);
  } catch {
    // Not allowed: others on the machine are part of the measurement then.
  }
}
