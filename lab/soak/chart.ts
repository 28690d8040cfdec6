// Draws samples over time as one SVG: a row of lines for each thing that is looked at. Pure.
import type { Sample } from './samples.ts';

interface Line {
  readonly name: string;
  readonly colour: string;
  readonly pick: (sample: Sample) => number | undefined;
}

const rows: readonly { readonly title: string; readonly lines: readonly Line[] }[] = [
  {
    title: 'resident memory, MB',
    lines: [
      { name: 'runtime', colour: '#0b62a4', pick: ({ processes }) => processes.runtime?.residentMb },
      { name: 'detector', colour: '#b35900', pick: ({ processes }) => processes.detector?.residentMb },
    ],
  },
  {
    title: 'open descriptors',
    lines: [
      { name: 'runtime', colour: '#0b62a4', pick: ({ processes }) => processes.runtime?.descriptors },
      { name: 'detector', colour: '#b35900', pick: ({ processes }) => processes.detector?.descriptors },
    ],
  },
  {
    title: 'messages that wait in the spool',
    lines: [{ name: 'runtime', colour: '#0b62a4', pick: ({ unsent }) => unsent }],
  },
  {
    title: "disk of the gateway's data folder, MB",
    lines: [{ name: 'gateway', colour: '#0b62a4', pick: ({ diskMb }) => diskMb }],
  },
];

const [width, height, left, top, gap] = [960, 120, 60, 24, 48];

/** `faults`: when each began, in seconds, with its name. */
export function drawChart(
  samples: readonly Sample[],
  faults: readonly { readonly seconds: number; readonly name: string }[],
): string {
  const end = Math.max(1, ...samples.map(({ seconds }) => seconds));
  const x = (seconds: number) => left + (seconds / end) * (width - left - 20);
  const parts = rows.flatMap(({ title, lines }, n) => {
    const y0 = top + n * (height + gap);
    const values = lines.flatMap(({ pick }) => samples.map(pick)).filter((value) => value !== undefined);
    const max = Math.max(1, ...values);
    const y = (value: number) => (y0 + height - (value / max) * height).toFixed(1);
    return [
      `<text x="${left}" y="${y0 - 8}" class="title">${title}</text>`,
      `<rect x="${left}" y="${y0}" width="${width - left - 20}" height="${height}" class="frame"/>`,
      `<text x="${left - 6}" y="${y0 + 10}" text-anchor="end">${Math.round(max)}</text>`,
      `<text x="${left - 6}" y="${y0 + height}" text-anchor="end">0</text>`,
      ...faults.map(
        ({ seconds, name }) =>
          `<line x1="${x(seconds).toFixed(1)}" x2="${x(seconds).toFixed(1)}" y1="${y0}" y2="${y0 + height}" class="fault"><title>${name}</title></line>`,
      ),
      ...lines.flatMap(({ name, colour, pick }, at) => [
        ...pieces(samples, pick).map(
          (points) =>
            `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${points.map(([seconds, value]) => `${x(seconds).toFixed(1)},${y(value)}`).join(' ')}"/>`,
        ),
        `<text x="${width - 24}" y="${y0 - 8}" dx="${-90 * at}" text-anchor="end" fill="${colour}">${name}</text>`,
      ]),
    ];
  });
  const bottom = top + rows.length * (height + gap);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${bottom}" width="${width}" height="${bottom}">`,
    '<style>text{font:12px sans-serif}.title{font-weight:bold}.frame{fill:#fff;stroke:#999}.fault{stroke:#c00;stroke-opacity:.25}</style>',
    `<rect width="${width}" height="${bottom}" fill="#fff"/>`,
    ...parts,
    `<text x="${left}" y="${bottom - 12}">0</text>`,
    `<text x="${width - 20}" y="${bottom - 12}" text-anchor="end">${(end / 60).toFixed(0)} min; red lines: faults</text>`,
    '</svg>',
  ].join('\n');
}

/** A line ends where a process was down, and begins again after it. */
function pieces(samples: readonly Sample[], pick: (sample: Sample) => number | undefined) {
  const found: [number, number][][] = [[]];
  for (const sample of samples) {
    const value = pick(sample);
    if (value === undefined) found.push([]);
    else found.at(-1)!.push([sample.seconds, value]);
  }
  return found.filter((points) => points.length > 0);
}
