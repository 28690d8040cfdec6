// One contender keeps readings on a clock that goes on only when the disk is done: commit for commit what a site
// writes in as many minutes, however busy the machine is meanwhile. For bytes; it says nothing about time.
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../../kernel/clock.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { childSettings, mark } from '../harness/child.ts';
import { type ContenderSettings, makeContender } from './contenders.ts';
import { Polls } from './readings.ts';

export interface SteppedSettings extends ContenderSettings {
  /** All streams together. */
  readonly readingsPerSecond: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}

const settings = childSettings<SteppedSettings>();
const { streams, readingsPerSecond, commitMs, warmupMs, measureMs } = settings;
// After what was archived on the real clock.
const clock = new VirtualClock(systemClock.now() + 600_000);
const recorder = await makeContender(settings, clock);
const polls = new Polls(streams, readingsPerSecond, clock.now());
const stepMs = commitMs / 8;

await stepUntil(warmupMs);
mark('start');
const [commitsBefore, readingsBefore] = [recorder.commits(), polls.readings];
await stepUntil(warmupMs + measureMs);
mark('end', { readings: polls.readings - readingsBefore, commits: recorder.commits() - commitsBefore });
// Nothing moves until the bytes are counted.
await wait(1500);
process.exit(0);

async function stepUntil(ms: number): Promise<void> {
  while (clock.monotonic() < ms) {
    await clock.advance(stepMs);
    await recorder.settled();
    polls.emitUntil(recorder, clock.monotonic());
  }
}
