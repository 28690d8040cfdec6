// A session that ends because no reading came says what came all the same, and why it made none.
import { expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { serialSourceSchema } from './config.ts';
import { createSerialSource } from './serial-source.ts';
import { MemoryLine } from './testing/memory-line.ts';

const lines = 45;

/** What ended the session in which `line` was said once a second, of a source that expects another. */
async function endOf(line: string, change: object = {}) {
  const clock = new VirtualClock();
  const memory = new MemoryLine(clock);
  const shape = { name: 'scale', type: 'serial', path: '/dev/x', fields: { pattern: '^W (?<w>[0-9]+) kg' } };
  const config = serialSourceSchema.parse({ ...shape, tags: [{ name: 'w' }], ...change });
  const deps = { clock, log: silentLog, metrics: noMetrics };
  const source = createSerialSource(config, { ...deps, openStream: memory.openStream });
  const sink = new RecordingSink();
  const supervised = superviseSource({ ...deps, name: 'scale', source, sink, random: seededRandom(1) });
  supervised.start();
  for (let at = 0; at < lines; at++) {
    memory.say(line);
    await clock.advance(1000);
  }
  await supervised.stop();
  expect(sink.readings).toEqual([]);
  return supervised.state().lastError?.message;
}

const high = (text: string) =>
  Buffer.from([...Buffer.from(text)].map((byte) => byte | 0x80)).toString('latin1');

it.each([
  [
    'lines that end otherwise',
    'W 728 kg\r',
    {},
    /bytes came.*W 728 kg<CR>.*lines end with \\r: framing that fits/,
  ],
  ['7 bits read as 8', high('W 728 kg\r\n'), {}, /bytes came.*highest bit set: set dataBits: 7/],
  [
    'lines without the tag',
    'Hello\r\n',
    { expectEveryMs: 5000 },
    /^no message came for 5000 ms.*: \d+ bytes came.*\d+ whole messages had none of the tags.*Hello/,
  ],
])('%s', async (_what, line, change, said) => {
  const message = await endOf(line, change);
  expect(message).toMatch(said);
  expect(message).not.toMatch(/nothing (was heard|came)/);
});

it('nothing at all is called that', async () => {
  expect(await endOf('', { expectEveryMs: 5000 })).toMatch(/^nothing came for 5000 ms/);
});
