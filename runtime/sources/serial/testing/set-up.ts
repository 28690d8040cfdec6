// A source on a line in memory, with a clock that moves when told to, and what it counted.
import { type Log, silentLog } from '../../../../kernel/log.ts';
import type { VirtualClock } from '../../../../kernel/testing/virtual-clock.ts';
import type { StreamStart } from '../../../windows/window-store.ts';
import type { HistoryPage } from '../../history-page.ts';
import type { LearnedStore } from '../../learned.ts';
import type { Source } from '../../source.ts';
import { RecordingSink } from '../../testing/recording-sink.ts';
import { serialSourceSchema } from '../config.ts';
import { createSerialSource } from '../serial-source.ts';
import type { MemoryLine } from './memory-line.ts';

export interface RunningSource {
  readonly source: Source;
  readonly sink: RecordingSink;
  readonly counts: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
  readonly ended: Promise<unknown>;
  readonly abort: AbortController;
}

export function parseSource(config: object) {
  return serialSourceSchema.parse({ name: 'scale', type: 'serial', path: '/dev/memory', ...config });
}

export function run(
  config: object,
  line: MemoryLine,
  clock: VirtualClock,
  floor?: () => number | StreamStart | undefined,
  again?: Source,
  learned?: LearnedStore,
): RunningSource {
  const counts: Record<string, number> = {};
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (_fields, message) => void warnings.push(message) };
  const make = () =>
    createSerialSource(parseSource(config), {
      clock,
      log,
      metrics: {
        count(name, _labels, by = 1) {
          const short = name.replace(/^holdfast_serial_|_total$/g, '');
          counts[short] = (counts[short] ?? 0) + by;
        },
        gauge() {},
        observe() {},
      },
      openStream: line.openStream,
      ...(learned && { learned }),
      ...(floor && { start: () => startAt(floor()) }),
    });
  // The next session of a source that ran before, or the first of a new one.
  const source = again ?? make();
  const sink = new RecordingSink();
  const abort = new AbortController();
  const ended = source.run(sink, abort.signal).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { source, sink, counts, warnings, ended, abort };
}

/** Time goes on while the pages are read. */
export async function readHistory(
  { source }: Pick<RunningSource, 'source'>,
  clock: VirtualClock,
  start: number,
  end: number,
  signal = new AbortController().signal,
): Promise<readonly HistoryPage[]> {
  const pages: HistoryPage[] = [];
  let isOver = false;
  const reading = (async () => {
    for await (const page of source.history!.read({ start, end }, signal)) pages.push(page);
  })().finally(() => {
    isOver = true;
  });
  reading.catch(() => {});
  for (let waited = 0; !isOver && waited < 300_000; waited += 10) await clock.advance(10);
  await reading;
  return pages;
}

/** As `readings 5-9: 4` and `history-expired 0-5`. */
export function showPages(pages: readonly HistoryPage[]): readonly string[] {
  return pages.map((page) => {
    const { start, end } = page.window;
    return page.kind === 'readings'
      ? `readings ${start}-${end}: ${new Set(page.readings.map(({ index }) => index)).size}`
      : `${page.reason} ${start}-${end}`;
  });
}

function startAt(floor: number | StreamStart | undefined): StreamStart {
  if (typeof floor === 'object') return floor;
  return { continuity: 'proven', ...(floor !== undefined && { floor, number: 0 }) };
}
