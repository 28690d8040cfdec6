// The load of a Modbus source: the requests of its read plan.
import type { Clock } from '../../../kernel/clock.ts';
import { type PollPlan, type SampleTag, type SourceLoad, sum, wanderNumber, wanderState } from '../load.ts';
import type { ModbusSourceConfig, TagConfig } from './config.ts';
import { peerOf, shareKeyOf, timingOf } from './open-stream.ts';
import { createPoller } from './poller.ts';
import { type Item, planReads } from './read-plan.ts';
import { mapStamp, mapTags } from './register-map.ts';

const bitsPerByte = 11;
/** The time a unit takes to answer is its own; a typical one, for the load of a line. */
const unitAnswerMs = 10;

export function loadOfModbus(source: ModbusSourceConfig, clock: Clock): SourceLoad {
  const polls = planPolls(source, clock);
  return {
    bus: busOf(source),
    polls: polls.map(({ registers: _, ...poll }) => poll),
    requestsPerSecond: sum(polls.map(({ requests, pollMs }) => (requests * 1000) / pollMs)),
    ...(source.type === 'modbus-rtu' && { busLoad: lineLoad(source, polls) }),
    paces: groupsOf(source).map(({ pollMs, tags }) => ({ periodMs: pollMs, tags: tags.map(toSample) })),
    warnings: manualNumbers(source),
  };
}

/** What manuals call the first entry of each table. */
const manualFirst: Readonly<Record<string, number>> = { holding: 40_001, input: 30_001, discrete: 10_001 };
const manualCount = 9999;

/** Addresses that look as if they were copied from a manual, which counts otherwise. */
function manualNumbers({ tags, addressing }: ModbusSourceConfig): readonly string[] {
  // The SunSpec models lie there.
  if (addressing === 'zero-based' || tags.some(({ invalid }) => invalid === 'sunspec')) return [];
  const copied = tags.filter(({ table, address }) => {
    const first = manualFirst[table];
    return first !== undefined && address >= first && address < first + manualCount;
  });
  const [tag] = copied;
  if (tag === undefined) return [];
  const { name, table, address } = tag;
  const likely = address - manualFirst[table]!;
  const more = copied.length > 1 ? ` (the first of ${copied.length} tags with such addresses)` : '';
  return [
    `address ${address} of ${name}${more} is read as ${table} ${address}, counted from 0. A manual that writes ${address} most likely means address ${likely}: write that, or addressing: zero-based where it is meant as it stands`,
  ];
}

type CountedPoll = PollPlan & { readonly registers: number };

/** Tags that are polled together. */
function groupsOf(source: ModbusSourceConfig): readonly { pollMs: number; tags: readonly TagConfig[] }[] {
  const byPace = new Map<number, TagConfig[]>();
  for (const tag of source.tags) {
    const pollMs = tag.pollMs ?? source.pollMs;
    byPace.set(pollMs, [...(byPace.get(pollMs) ?? []), tag]);
  }
  return [...byPace].map(([pollMs, tags]) => ({ pollMs, tags }));
}

function planPolls(source: ModbusSourceConfig, clock: Clock): readonly CountedPoll[] {
  const stamp = mapStamp(source);
  return groupsOf(source).map(({ pollMs, tags }) => {
    const items: readonly Item[] = stamp ? [stamp, ...mapTags(tags)] : mapTags(tags);
    const blocks = planReads(items, source);
    return {
      pollMs,
      tags: tags.length,
      requests: createPoller({ config: source, tags, clock }).requests,
      blocks: blocks.map(({ table, address, count }) => `${table} ${address}-${address + count - 1}`),
      registers: sum(blocks.map(({ count }) => count)),
    };
  });
}

function busOf(source: ModbusSourceConfig): string {
  const where = `${source.type} ${peerOf(source)}`;
  return shareKeyOf(source) === undefined ? `${where}, own connection of ${source.name}` : where;
}

/** Part of a second that one second's requests of this source take on its serial line. */
function lineLoad(
  source: ModbusSourceConfig & { type: 'modbus-rtu' },
  polls: readonly CountedPoll[],
): number {
  const byteMs = (bitsPerByte * 1000) / source.baudRate;
  const { gapMs } = timingOf(source);
  return sum(
    polls.map(({ requests, registers, pollMs }) => {
      const frames = requests * (8 + 5) + 2 * registers;
      return (frames * byteMs + requests * (gapMs + unitAnswerMs)) / pollMs;
    }),
  );
}

function toSample({ name, type, length = 1, scale = 1, offset = 0 }: TagConfig): SampleTag {
  if (type === undefined || type === 'bool' || type === 'bit') return { name, wander: wanderState };
  if (type === 'string') return { name, wander: () => () => 'x'.repeat(length) };
  const round = (raw: number) => (type === 'float32' ? Math.fround(raw) : raw) * scale + offset;
  return { name, wander: wanderNumber(round, !type.startsWith('float')) };
}
