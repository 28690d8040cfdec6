// A unit that answers each read with the answer to the read before, whatever it answers at once: none of its values is that of
// the tag that was asked for.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';
import {
  type DeviceAnswer,
  type DeviceRequest,
  exceptionPdu,
  MemoryDevice,
} from './testing/memory-device.ts';

const addresses = [100, 200, 300, 400];
const loopbackCode = 8;
/** What the unit knows of reads that are no tag's own: all, or none, or it says nothing to them. */
type Others = 'read' | 'refused' | 'silent';

/** Every register holds its own address. */
function answerTo({ pdu }: DeviceRequest, others: Others): DeviceAnswer {
  const [address, count] = [pdu.readUInt16BE(1), pdu.readUInt16BE(3)];
  if (others !== 'read' && !(addresses.includes(address) && count === 1))
    return others === 'refused' ? { pdu: exceptionPdu(3, 2) } : 'silence';
  const data = Buffer.alloc(2 * count);
  for (let at = 0; at < count; at++) data.writeUInt16BE(address + at, 2 * at);
  return { pdu: Buffer.concat([Buffer.from([3, data.length]), data]) };
}

type Way = 'a line' | 'TCP without numbers' | 'TCP with numbers';

function setUp(way: Way, others: Others, loopback: 'refused' | 'said' | 'silent') {
  const clock = new VirtualClock();
  /** Answers that are held back, and so many more from now on. */
  const held: DeviceAnswer[] = [];
  const unit = { lag: 0 };
  const device = new MemoryDevice(
    clock,
    (request) => {
      if (request.pdu[0] === loopbackCode) {
        if (loopback === 'silent') return 'silence';
        return { pdu: loopback === 'said' ? request.pdu : exceptionPdu(loopbackCode, 1) };
      }
      held.push(answerTo(request, others));
      if (held.length <= unit.lag) return 'silence';
      return { afterMs: 20, answer: held.shift()! };
    },
    way === 'a line' ? 'rtu' : 'mbap',
  );
  const shape = {
    name: 'unit',
    host: 'h',
    pollMs: 500,
    timeoutMs: 200,
    maxHole: 0,
    tags: addresses.map((address) => ({ name: `v${address}`, address, type: 'uint16' })),
  };
  const transactionId = way === 'TCP with numbers' ? 'check' : 'ignore';
  const config =
    way === 'a line'
      ? modbusRtuTcpSourceSchema.parse({ type: 'modbus-rtu-tcp', port: 4001, ...shape })
      : modbusTcpSourceSchema.parse({ type: 'modbus-tcp', transactionId, ...shape });
  const deps = { clock, log: silentLog, metrics: noMetrics };
  const sink = new RecordingSink();
  const source = createModbusSource(config, { ...deps, links: device.links() });
  const supervised = superviseSource({ ...deps, name: 'unit', source, sink, random: seededRandom(1) });
  supervised.start();
  const good = () => sink.readings.filter(({ quality }) => quality === 'good');
  const wrong = () => good().filter(({ tag, value }) => value !== Number(tag.slice(1)));
  return { clock, unit, held, supervised, good, wrong };
}

// A gateway gives what its line brings the number of the request of that moment.
const ways = ['a line', 'TCP without numbers', 'TCP with numbers'] as const;
const kinds = ways.flatMap((way) =>
  (['read', 'refused', 'silent'] as const).flatMap((others) =>
    (['refused', 'said', 'silent'] as const).map((loopback) => ({ way, others, loopback })),
  ),
);

describe.each(kinds)('over $way, other reads are $others, the loopback $loopback', (kind) => {
  it.each([1, 2])('an answer that lags by %i from the start on is believed for no tag', async (lag) => {
    const { clock, unit, good, wrong } = setUp(kind.way, kind.others, kind.loopback);
    unit.lag = lag;
    await clock.advance(120_000);
    expect(wrong()).toEqual([]);
    expect(good().length).toBeLessThan(8);
  });

  it('one that begins to lag, and ends to, is believed again only then', async () => {
    const { clock, unit, held, good, wrong } = setUp(kind.way, kind.others, kind.loopback);
    await clock.advance(60_000);
    expect(good().length).toBeGreaterThan(100);
    unit.lag = 1;
    await clock.advance(60_000);
    expect(wrong()).toEqual([]);
    const before = good().length;
    unit.lag = 0;
    held.length = 0;
    // More came than was asked for, and for an hour nothing could confirm an answer of a unit that answers nothing else.
    const isMute = kind.others === 'silent' && kind.loopback === 'silent';
    await clock.advance(isMute ? 3_700_000 : 600_000);
    expect(wrong()).toEqual([]);
    expect(good().length).toBeGreaterThan(before + 100);
  });
});
