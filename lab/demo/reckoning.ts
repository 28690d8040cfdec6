// Draws up the account of a running world: reads the equipment's ground truth and the detector's ledger, and compares both
// with what the tap received.
import type { Window } from '../../wire/window.ts';
import type { Reset } from '../plant/heat.ts';
import { type Account, accountPolled, accountStamped, type StreamAccount, total } from './account.ts';
import type { StreamCopy } from './cloud-copy.ts';
import type { CloudTap } from './cloud-tap.ts';
import type { DemoStream, Equipment } from './equipment.ts';
import { getJson, getLines } from './http-json.ts';
import { compareLedger, type LedgerStream } from './ledger-check.ts';
import { demoRule } from './parts.ts';
import type { Values } from './true-sample.ts';
import { accountVerdicts, type Cut } from './verdict-account.ts';
import type { Received } from './verdict-log.ts';

interface Facts {
  readonly units: Readonly<Record<string, UnitFacts>>;
}

interface UnitFacts {
  readonly samples: number;
  /** Number of the oldest sample that the unit's log holds. */
  readonly oldest?: number;
  /** To polls, where it counts them. */
  readonly answers?: number;
  /** Where it can be reset. */
  readonly resets?: readonly Reset[];
}

export const ruleStream = `rule:${demoRule.name}`;

interface TruthLine {
  readonly number: number;
  readonly timestamp: number;
  readonly values: Values;
}

interface ShownLine {
  readonly at: number;
  readonly values: Values;
}

/** What the equipment says of one stream. `oldest`: the first record that it still holds; none, where it keeps none. */
type Testimony =
  | { readonly kind: 'stamped'; readonly lines: readonly TruthLine[]; readonly oldest: number | undefined }
  | { readonly kind: 'polled'; readonly lines: readonly ShownLine[] };

export interface ReckoningInput {
  readonly equipment: readonly Equipment[];
  /** Base address. */
  readonly detectorApi: string;
  readonly tap: CloudTap;
  /** What else went wrong; spoils the account. */
  readonly problems: readonly string[];
  readonly verdicts: Received;
  readonly cut: Cut | undefined;
}

export async function reckon(input: ReckoningInput): Promise<Account> {
  const { equipment, detectorApi, tap, problems, verdicts: received, cut } = input;
  const all = equipment.flatMap(({ control, streams }) => streams.map((stream) => ({ control, stream })));
  const testimonies = await Promise.all(all.map(({ control, stream }) => ask(control, stream)));
  const resets = await askResets(equipment);
  const ledgers = await askLedger(detectorApi);
  // From here on nothing is awaited: what the tap holds is of one moment.
  const copies = tap.copy.streams();
  const streams = all.map(({ stream: { name } }, i) => accountOf(name, testimonies[i]!, copies.get(name)));
  const contradictions = [...copies.values()].flatMap((copy) => {
    const ledger = ledgers.find(({ batchId }) => batchId === copy.batchId);
    return compareLedger(ledger, copy).map((problem) => `${copy.batchId}: ${problem}`);
  });
  const of = { sensor: copies.get(demoRule.source), copy: copies.get(ruleStream) };
  const verdicts = accountVerdicts({ ...of, rule: demoRule, stream: ruleStream, received, resets, cut });
  return total(streams, ledgers, [...problems, ...contradictions, ...tap.undecodable], verdicts);
}

async function ask(control: string, { unit, kind, remembers }: DemoStream): Promise<Testimony> {
  if (kind === 'polled') return { kind, lines: await getLines<ShownLine>(`${control}/shown?unit=${unit}`) };
  // First what the log holds, then the truth: a log that moves on between makes the account stricter, not laxer.
  const facts = remembers ? await getJson<Facts>(`${control}/state`) : undefined;
  const lines = await getLines<TruthLine>(`${control}/truth?unit=${unit}`);
  return { kind, lines, oldest: facts && (facts.units[unit]?.oldest ?? 0) };
}

/** What the machine behind the sensor was told. */
export async function askResets(equipment: readonly Equipment[]): Promise<readonly Reset[]> {
  const sensor = equipment.find(({ streams }) => streams.some(({ name }) => name === demoRule.source));
  if (sensor === undefined) return [];
  const { units } = await getJson<Facts>(`${sensor.control}/state`);
  return Object.values(units).flatMap(({ resets = [] }) => resets);
}

/** By stream: samples made, or answers given. */
export async function askMade(equipment: readonly Equipment[]): Promise<ReadonlyMap<string, number>> {
  const made = new Map<string, number>();
  for (const { control, streams } of equipment) {
    const { units } = await getJson<Facts>(`${control}/state`);
    for (const { name, unit, kind } of streams) {
      const facts = units[unit];
      made.set(name, (kind === 'polled' ? facts?.answers : facts?.samples) ?? 0);
    }
  }
  return made;
}

function accountOf(stream: string, testimony: Testimony, copy: StreamCopy | undefined): StreamAccount {
  if (testimony.kind === 'polled') return accountPolled({ stream, shown: testimony.lines, copy });
  const { lines, oldest } = testimony;
  const truth = lines.map(({ timestamp, values }) => ({ at: timestamp, values }));
  const logReachesBackTo =
    lines.find(({ number }) => oldest !== undefined && number >= oldest)?.timestamp ??
    Number.POSITIVE_INFINITY;
  return accountStamped({ stream, truth, copy, logReachesBackTo });
}

type Pair = readonly [start: number, end: number];
interface LedgerJson extends Omit<LedgerStream, 'covered' | 'gaps'> {
  readonly covered: readonly Pair[];
  readonly gaps: readonly Pair[];
}

/** The detector's ledger. */
export async function askLedger(detectorApi: string): Promise<readonly LedgerStream[]> {
  const { streams } = await getJson<{ streams: readonly LedgerJson[] }>(`${detectorApi}/api/streams`);
  const window = ([start, end]: Pair): Window => ({ start, end });
  return streams.map((json) => ({
    ...json,
    covered: json.covered.map(window),
    gaps: json.gaps.map(window),
  }));
}
