// A stream's recent past in one line. Height tells the kinds apart as well as colour: what is there stands
// low, what is missing stands tall.
const shapes: Readonly<
  Record<string, { readonly style: string; readonly y: number; readonly height: number }>
> = {
  c: { style: 'covered', y: 8, height: 10 },
  b: { style: 'backfilled', y: 8, height: 10 },
  v: { style: 'void', y: 8, height: 10 },
  r: { style: 'requested', y: 3, height: 15 },
  m: { style: 'missing', y: 0, height: 18 },
};

/** Runs of equal cells, as one path a kind. */
export function stripPaths(cells: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const { 0: run, index } of cells.matchAll(/(.)\1*/g)) {
    const shape = shapes[run[0]!];
    if (shape === undefined) continue;
    const path = `M${index} ${shape.y}h${run.length}v${shape.height}h-${run.length}z`;
    paths.set(shape.style, (paths.get(shape.style) ?? '') + path);
  }
  return paths;
}

const names: Readonly<Record<string, string>> = {
  m: 'missing',
  r: 'being fetched',
  v: 'void',
  b: 'backfilled',
  c: 'covered',
};

/** `covered 97 %, missing 3 %`: what the strip shows, in words. */
export function stripText(cells: string): string {
  const shares = Object.entries(names).flatMap(([letter, name]) => {
    const n = cells.split(letter).length - 1;
    return n === 0 ? [] : [`${name} ${Math.max(1, Math.round((n / cells.length) * 100))} %`];
  });
  return shares.length === 0 ? 'nothing known' : shares.join(', ');
}

export function Strip({ cells, label }: { readonly cells: string; readonly label: string }) {
  const text = `${label}: ${stripText(cells)}`;
  return (
    <svg
      class="strip"
      viewBox={`0 0 ${cells.length} 18`}
      preserveAspectRatio="none"
      role="img"
      aria-label={text}
    >
      <title>{text}</title>
      <rect class="track" y="8" width={cells.length} height="10" />
      {[...stripPaths(cells)].map(([style, path]) => (
        <path key={style} class={`range ${style}`} d={path} />
      ))}
    </svg>
  );
}
