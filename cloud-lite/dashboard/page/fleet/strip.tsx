// A stream's recent past in one line, from its first data on. Kinds differ by form as well as by colour, and a strip is
// stretched, so that their forms are made of whole and part cells: what is there stands low, what is missing stands tall.
interface Kind {
  readonly letter: string;
  readonly style: string;
  readonly name: string;
  /** Top and height, of 18. */
  readonly bands: readonly (readonly [y: number, height: number])[];
  /** The share of each cell that is drawn: less than all of it makes upright stripes. */
  readonly width: number;
}

/** The worst first. */
const kinds: readonly Kind[] = [
  { letter: 'm', style: 'missing', name: 'missing', bands: [[0, 18]], width: 1 },
  { letter: 'r', style: 'requested', name: 'being fetched', bands: [[3, 15]], width: 0.6 },
  { letter: 'v', style: 'void', name: 'void', bands: [[8, 10]], width: 0.45 },
  {
    letter: 'b',
    style: 'backfilled',
    name: 'backfilled',
    bands: [
      [8, 4],
      [14, 4],
    ],
    width: 1,
  },
  { letter: 'c', style: 'covered', name: 'covered', bands: [[8, 10]], width: 1 },
];

/** A path a kind. Runs of whole cells are one piece. */
export function stripPaths(cells: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const { 0: run, index } of cells.matchAll(/(.)\1*/g)) {
    const kind = kinds.find(({ letter }) => letter === run[0]);
    if (kind === undefined) continue;
    const isWhole = kind.width === 1;
    const starts = isWhole ? [index] : Array.from(run, (_, n) => index + n);
    const width = isWhole ? run.length : kind.width;
    const path = starts.flatMap((x) =>
      kind.bands.map(([y, height]) => `M${x} ${y}h${width}v${height}h-${width}z`),
    );
    paths.set(kind.style, (paths.get(kind.style) ?? '') + path.join(''));
  }
  return paths;
}

/** `missing 3 %, covered 97 %`: what the strip shows, in words. */
export function stripText(cells: string): string {
  const shares = kinds.flatMap(({ letter, name }) => {
    const n = cells.split(letter).length - 1;
    return n === 0 ? [] : [`${name} ${Math.max(1, Math.round((n / cells.length) * 100))} %`];
  });
  return shares.length === 0 ? 'nothing known' : shares.join(', ');
}

export function Strip({ cells, label }: { readonly cells: string; readonly label: string }) {
  const text = `${label}: ${stripText(cells)}`;
  // Before its first data the stream was not there; after its last, it should be.
  const first = cells.search(/[^.]/);
  return (
    <svg
      class="strip"
      viewBox={`0 0 ${cells.length} 18`}
      preserveAspectRatio="none"
      role="img"
      aria-label={text}
    >
      <title>{text}</title>
      {first >= 0 && <rect class="track" x={first} y="8" width={cells.length - first} height="10" />}
      {[...stripPaths(cells)].map(([style, path]) => (
        <path key={style} class={`range ${style}`} d={path} />
      ))}
    </svg>
  );
}

/** What the strips' forms and colours mean. */
export function StripLegend() {
  return (
    <ul class="legend strip-legend" aria-label="What the strips show">
      {kinds.toReversed().map(({ letter, style, name }) => (
        <li key={style}>
          <svg class="strip" viewBox="0 0 4 18" preserveAspectRatio="none" aria-hidden="true">
            <path class={`range ${style}`} d={stripPaths(letter.repeat(4)).get(style)} />
          </svg>
          {name === 'void' ? 'void or waived' : name}
        </li>
      ))}
    </ul>
  );
}
