// The source contract against the plant's logger: over raw TCP and through a serial port.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { type LoggerOptions, startLogger } from '../../../lab/plant/logger.ts';
import type { LoggerFaultsPatch } from '../../../lab/plant/logger-faults.ts';
import { type LoggerSiteOptions, loggerSource } from '../../../lab/plant/logger-site.ts';
import { missingPrograms } from '../../../test/support/programs.ts';
import { type SourceHarness, sourceContract } from '../testing/source-contract.ts';
import { serialSourceSchema } from './config.ts';
import { createSerialSource } from './serial-source.ts';

const deps = { clock: systemClock, log: silentLog, metrics: noMetrics };
const scanMs = 30;
const folder = mkdtempSync(join(tmpdir(), 'serial-contract-'));
let ports = 0;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function makeHarness(
  options: LoggerOptions,
  site: LoggerSiteOptions,
  mischief: Readonly<Record<string, LoggerFaultsPatch>>,
): Promise<SourceHarness> {
  const logger = await startLogger({ seed: 5, scanMs, capacity: 60, prefill: 200, ...options });
  const config = serialSourceSchema.parse({
    ...loggerSource(logger.info, { timeoutMs: 800, pageRecords: 7, ...site }),
    expectEveryMs: 900,
  });
  const healed = { unplugged: null, silent: null, delayMs: null, garbage: null };
  return {
    source: createSerialSource(config, deps),
    lossLimitMs: 1300,
    produce: (count) => delay(count * scanMs + 120),
    advance: (ms) => delay(ms),
    cut: async () => void (await logger.setFaults({ unplugged: true })),
    heal: async () => void (await logger.setFaults(healed)),
    mischief: Object.entries(mischief).map(([name, patch]) => ({
      name,
      begin: async () => void (await logger.setFaults(patch)),
    })),
    dispose: () => logger.stop(),
  };
}

// Every combination, and every fault, is in serial-contract.test.ts, on a clock that costs no time.
sourceContract('a serial source over TCP, by time', () =>
  makeHarness({}, {}, { silence: { silent: true }, garbage: { garbage: true } }),
);

describe.skipIf(missingPrograms('socat'))('with socat', () => {
  const path = () => join(folder, `logger-${ports++}`);
  sourceContract('a serial source on a serial port, by record number', () =>
    makeHarness({ path: path() }, { index: 'number' }, { 'being unplugged': { unplugged: true } }),
  );
});
