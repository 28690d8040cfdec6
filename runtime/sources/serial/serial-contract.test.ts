// The source contract over a logger in memory, on a virtual clock: listening and asking, by record number, by the
// instrument's time, and by arrival.
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { lineSpoilers } from '../../../lab/plant/logger-faults.ts';
import { loggerSource } from '../../../lab/plant/logger-site.ts';
import { type SourceHarness, sourceContract } from '../testing/source-contract.ts';
import { serialSourceSchema } from './config.ts';
import { createSerialSource } from './serial-source.ts';
import { MemoryLogger } from './testing/memory-logger.ts';

const scanMs = 100;
/** After a lost answer one exchange proves that the line is in step, within the time of two samples. */
const timeoutMs = 25;
const capacity = 40;
/** Starts again soon, so that the contract is kept across a start of the counter. */
const lastNumber = 125;

const ways = [
  { talks: true, order: 'number' },
  { talks: true, order: 'time' },
  { talks: true, order: 'arrival' },
  { talks: false, order: 'number' },
  { talks: false, order: 'time' },
  { talks: false, order: 'arrival' },
] as const;

for (const { talks, order } of ways) {
  sourceContract(
    `a serial source that ${talks ? 'listens' : 'asks'}, by ${order}`,
    async () => makeHarness(talks, order),
    { hasHistory: order !== 'arrival' },
  );
}

function makeHarness(talks: boolean, order: 'number' | 'time' | 'arrival'): SourceHarness {
  const clock = new VirtualClock();
  const logger = new MemoryLogger(clock, { capacity, lastNumber, talks });
  // The memory has wrapped around: most of what it ever held is gone.
  for (let back = 3 * capacity; back > 0; back--) logger.sample(clock.now() - back * scanMs);
  const info = { host: 'memory', port: 1, scanMs, capacity, lastNumber };
  const site: Record<string, unknown> = loggerSource(info, {
    timeoutMs,
    pageRecords: 5,
    index: order === 'number' ? 'number' : 'time',
    ...(talks ? {} : { pollMs: scanMs }),
  });
  if (talks) site.expectEveryMs = 4 * scanMs;
  if (order === 'arrival') {
    delete site.stamp;
    delete site.history;
  }
  const config = serialSourceSchema.parse(site);
  const source = createSerialSource(config, {
    clock,
    log: silentLog,
    metrics: noMetrics,
    openStream: logger.line.openStream,
  });
  const misbehave = (name: string, begin: () => void) => ({ name, begin });
  return {
    source,
    lossLimitMs: 4 * (scanMs + timeoutMs),
    async produce(samples) {
      for (let sample = 0; sample < samples; sample++) {
        logger.sample(clock.now());
        await clock.advance(scanMs);
      }
    },
    advance: (ms) => clock.advance(ms),
    cut() {
      logger.line.isReachable = false;
      logger.line.cut();
    },
    heal: () => logger.heal(),
    mischief: [
      misbehave('silence', () => {
        logger.onWire = () => undefined;
      }),
      misbehave('answers that come too late', () => {
        logger.answerAfterMs = timeoutMs + 50;
      }),
      misbehave('refusals', () => {
        logger.isRefusing = true;
      }),
      misbehave('a line that breaks amid a message', () => {
        logger.onWire = (line) => {
          setImmediate(() => logger.line.cut());
          return Buffer.from(line.slice(0, 9), 'latin1');
        };
      }),
      ...lineSpoilers.map((kind) => misbehave(kind, () => logger.spoil(kind))),
    ],
    async dispose() {
      logger.line.cut();
    },
  };
}
