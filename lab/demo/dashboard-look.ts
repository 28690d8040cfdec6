// Judges what the dashboard's page shows of the fleet. Pure: the page's text in, verdicts out.

/** One row of the fleet, as it is read from the page. */
export interface RowSeen {
  readonly stream: string;
  readonly state: string;
  /** `100 %` */
  readonly complete: string;
  /** What keeps it from being complete, the worst alone: `3 s missing`, `7 s void`, or nothing. */
  readonly lack: string;
  /** Its recent past in words: `press, last 5 min: covered 97 %, missing 3 %`. */
  readonly past: string;
  /** Of open gaps: a number, or a dash. */
  readonly gaps: string;
}

export type FleetLook = readonly RowSeen[];

/** Streams of which the page shows ranges that are missing or being fetched. */
export function gapsShown(look: FleetLook): readonly string[] {
  return look.filter(isLacking).map(({ stream }) => stream);
}

/**
 * What keeps the page from showing a fleet that has healed: each stream whole, or whole but for what was declared
 * void. Empty when it has.
 */
export function notHealed(look: FleetLook, streams: readonly string[]): readonly string[] {
  return streams.flatMap((stream) => {
    const row = look.find((seen) => seen.stream === stream);
    if (row === undefined) return [`the dashboard does not show ${stream}`];
    if (isLacking(row)) return [`the dashboard shows ${stream} with ${row.lack || row.past}`];
    if (row.complete !== '100 %' && !/ void$/.test(row.lack))
      return [`the dashboard shows ${stream} ${row.complete} complete and does not say why`];
    return [];
  });
}

/** Streams of which the page says that part of them is void. */
export function voidsShown(look: FleetLook): readonly string[] {
  return look.filter(({ lack }) => / void$/.test(lack)).map(({ stream }) => stream);
}

const isLacking = ({ lack, past, gaps }: RowSeen) =>
  / (missing|given up)$/.test(lack) || /missing|being fetched/.test(past) || /\d/.test(gaps);
