import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Log, silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { settle, VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { readSourceTree, root } from '../../test/support/source-tree.ts';
import { breakWords } from './break-words.ts';
import { modbusTexts } from './modbus/texts.ts';
import { moduleInputTexts } from './module-input/texts.ts';
import { opcuaTexts } from './opcua/texts.ts';
import { garbageKinds } from './serial/frame-scanner.ts';
import { serialTexts } from './serial/texts.ts';
import { superviseSource } from './supervisor.ts';
import { FakeSource } from './testing/fake-source.ts';
import { RecordingSink } from './testing/recording-sink.ts';

function setUp() {
  const clock = new VirtualClock();
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (_fields, message) => void warnings.push(message) };
  const source = new FakeSource({ silenceLimitMs: 1e9 });
  const parts = { clock, log, random: seededRandom(1), metrics: noMetrics, sink: new RecordingSink() };
  const supervised = superviseSource({ name: 'scale', source, ...parts });
  supervised.start();
  const hole = async (reason: string) => {
    source.sample(clock.now(), { a: 1 }, true);
    source.emit({ kind: 'broken', at: clock.now() + 1, reason });
    await clock.advance(1000);
  };
  return { clock, warnings, source, supervised, hole };
}

it('a source that yields holes again and again is said at warn once an hour, and shown in its state', async () => {
  const { warnings, supervised, hole } = setUp();
  for (let at = 0; at < 5000; at++) await hole('serial-noise');
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toContain('serial-noise');
  expect(supervised.state().lastBreak).toMatchObject({ reason: 'serial-noise', recent: 600 });
  await supervised.stop();
});

it('that a clock of the equipment was set back is said at once, in words, and not each time', async () => {
  const { warnings, supervised, hole } = setUp();
  await hole('equipment-clock-went-back');
  await hole('equipment-clock-went-back');
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/clock was set back .*time server/);
  expect(supervised.state().lastBreak?.words).toContain("the equipment's clock was set back");
  await supervised.stop();
});

it('each reason that an adapter gives for a break has words', () => {
  const reasons = readSourceTree()
    .filter(({ path }) => path.startsWith('runtime/sources/') && !path.includes('test'))
    .flatMap(({ path }) => [
      ...readFileSync(join(root, path), 'utf8').matchAll(
        /(?:lose|[gG]ap|damaged|[bB]reak|Arrival)\(\s*'([a-z-]+)'/g,
      ),
    ]);
  expect(reasons.length).toBeGreaterThan(15);
  const texts = [modbusTexts, serialTexts, opcuaTexts, moduleInputTexts];
  const words = Object.assign({}, breakWords, ...texts.map(({ breaks }) => breaks));
  expect(reasons.map(([, reason]) => reason!).filter((reason) => !(reason in words))).toEqual([]);
  for (const kind of garbageKinds) expect(serialTexts.breaks).toHaveProperty(`serial-${kind}`);
});

it('one hole now and then is nothing to speak of', async () => {
  const { clock, warnings, supervised, hole } = setUp();
  for (let at = 0; at < 20; at++) {
    await hole('poll-missed');
    await clock.advance(300_000);
  }
  expect(warnings).toEqual([]);
  expect(supervised.state().lastBreak?.recent).toBeLessThan(3);
  await supervised.stop();
  await settle();
});
