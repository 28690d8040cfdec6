// Draws up the account of a running world: asks the plant for its truth and the detector for its ledger, and
// sets both against what the tap holds.
import type { Window } from '../../wire/window.ts';
import { type Account, accountPolled, accountStamped, type StreamAccount, total } from './account.ts';
import type { StreamCopy } from './cloud-copy.ts';
import type { CloudTap } from './cloud-tap.ts';
import { getJson, getLines } from './http-json.ts';
import { compareLedger, type LedgerStream } from './ledger-check.ts';
import { type DemoStream, demoStreams } from './parts.ts';
import type { Values } from './true-sample.ts';

export interface PlantFacts {
  readonly units: Readonly<Record<string, UnitFacts>>;
}

interface UnitFacts {
  readonly samples: number;
  /** Number of the oldest sample that the unit's log holds. */
  readonly oldest?: number;
  readonly answers: number;
}

interface TruthLine {
  readonly number: number;
  readonly timestamp: number;
  readonly values: Values;
}

interface ShownLine {
  readonly at: number;
  readonly values: Values;
}

/** What the plant says of one stream. */
type Testimony =
  | { readonly kind: 'stamped'; readonly lines: readonly TruthLine[]; readonly oldest: number }
  | { readonly kind: 'polled'; readonly lines: readonly ShownLine[] };

export interface ReckoningInput {
  /** Base addresses. */
  readonly plantControl: string;
  readonly detectorApi: string;
  readonly tap: CloudTap;
  /** What else went wrong; spoils the account. */
  readonly problems: readonly string[];
}

export async function reckon({ plantControl, detectorApi, tap, problems }: ReckoningInput): Promise<Account> {
  const testimonies = await Promise.all(demoStreams.map((stream) => askPlant(plantControl, stream)));
  const ledgers = await askLedger(detectorApi);
  // From here on nothing is awaited: what the tap holds is of one moment.
  const copies = tap.copy.streams();
  const streams = demoStreams.map(({ name }, i) => accountOf(name, testimonies[i]!, copies.get(name)));
  const contradictions = [...copies.values()].flatMap((copy) => {
    const ledger = ledgers.find(({ batchId }) => batchId === copy.batchId);
    return compareLedger(ledger, copy).map((problem) => `${copy.batchId}: ${problem}`);
  });
  return total(streams, ledgers, [...problems, ...contradictions, ...tap.undecodable]);
}

async function askPlant(plantControl: string, { unit, kind }: DemoStream): Promise<Testimony> {
  if (kind === 'polled') {
    return { kind, lines: await getLines<ShownLine>(`${plantControl}/shown?unit=${unit}`) };
  }
  // First what the log holds, then the truth: a log that moves on between makes the account stricter, not laxer.
  const facts = await getJson<PlantFacts>(`${plantControl}/state`);
  const lines = await getLines<TruthLine>(`${plantControl}/truth?unit=${unit}`);
  return { kind, lines, oldest: facts.units[unit]?.oldest ?? 0 };
}

function accountOf(stream: string, testimony: Testimony, copy: StreamCopy | undefined): StreamAccount {
  if (testimony.kind === 'polled') return accountPolled({ stream, shown: testimony.lines, copy });
  const { lines, oldest } = testimony;
  const truth = lines.map(({ timestamp, values }) => ({ at: timestamp, values }));
  const logReachesBackTo =
    lines.find(({ number }) => number >= oldest)?.timestamp ?? Number.POSITIVE_INFINITY;
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
