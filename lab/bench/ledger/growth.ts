// What ten years of breaks do to a stream: the cost of an arrival, of its log and of a page, without holes and with many.
import type { Figure } from '../harness/bench.ts';
import { runChild } from '../harness/child.ts';
import type { HolesSettings } from './holes.child.ts';

export type Engine = 'pglite' | 'postgres';
type Place = Pick<HolesSettings, 'url' | 'folder'>;

export interface GrowthPlan {
  readonly engines: readonly Engine[];
  readonly holes: number;
  readonly arrivals: number;
}

export interface Holes {
  readonly engine: Engine;
  readonly kind: HolesSettings['kind'];
  readonly holes: number;
  readonly arrivalMs: number;
  readonly walBytes: number;
  readonly lookMs: number;
  readonly pageMs: number;
}

/** Parts of windows that never become whole, beside so many settled holes. */
const partsShare = 0.5;

export async function growAll(
  plan: GrowthPlan,
  fresh: (engine: Engine) => Promise<Place>,
  say: (text: string) => void,
): Promise<readonly Holes[]> {
  const all: Holes[] = [];
  for (const engine of plan.engines) {
    for (const [kind, holes] of [
      ['void', 0],
      ['void', plan.holes],
      ['parts', plan.holes * partsShare],
    ] as const) {
      say(`${engine}, a stream with ${holes} holes (${kind})`);
      const settings: HolesSettings = { ...(await fresh(engine)), holes, kind, arrivals: plan.arrivals };
      const result = await runChild(new URL('holes.child.ts', import.meta.url), settings);
      const { arrivalMs, walBytes, lookMs, pageMs } = result as Record<string, number>;
      all.push({
        engine,
        kind,
        holes,
        arrivalMs: arrivalMs!,
        walBytes: walBytes!,
        lookMs: lookMs!,
        pageMs: pageMs!,
      });
    }
  }
  return all;
}

/** Of the engine that grows most. */
export function growthFigures(all: readonly Holes[]): readonly Figure[] {
  const most = Math.max(...all.map(({ holes }) => holes));
  const times = (kind: Holes['kind'], pick: (one: Holes) => number) =>
    Math.max(
      ...[...new Set(all.map(({ engine }) => engine))].map((engine) => {
        const of = all.filter((one) => one.engine === engine);
        return (
          pick(of.find((one) => one.kind === kind && one.holes > 0)!) /
          pick(of.find((one) => one.holes === 0)!)
        );
      }),
    );
  const figure = (key: string, what: string, value: number): Figure => ({
    key,
    what,
    value,
    aim: { at: 'most', value: 2 },
  });
  return [
    figure(
      'holesGrowth',
      `an arrival at a stream with ${most} settled holes, times one without`,
      times('void', ({ arrivalMs }) => arrivalMs),
    ),
    figure(
      'holesPageGrowth',
      "the fleet's page with that stream, times one without",
      times('void', ({ pageMs }) => pageMs),
    ),
    figure(
      'partsGrowth',
      `an arrival beside ${most * partsShare} windows of which one part in 10,000 came, times one without`,
      times('parts', ({ arrivalMs }) => arrivalMs),
    ),
  ];
}

export function growthRow({ engine, kind, holes, arrivalMs, walBytes, lookMs, pageMs }: Holes) {
  return {
    database: engine === 'pglite' ? 'PGlite' : 'PostgreSQL',
    holes,
    'in them': holes === 0 ? '' : kind === 'void' ? 'a void' : 'one part in 10,000',
    'an arrival, ms': arrivalMs,
    'its log, bytes': walBytes,
    'a look of repair, ms': lookMs,
    "the fleet's page, ms": pageMs,
  };
}
