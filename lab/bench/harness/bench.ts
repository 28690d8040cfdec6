// What a bench is, and what it gives back. One file a bench beside main.ts; each measured part runs in a
// process of its own, so that memory and processor time are its own.

export interface BenchOptions {
  /** Under a minute, with shorter runs and fewer of them. */
  readonly quick: boolean;
  /** Where files go: on the disk that is to be measured. */
  readonly folder: string;
  /** What is being done, for people who wait. */
  readonly say: (text: string) => void;
}

export interface Aim {
  readonly at: 'most' | 'least';
  readonly value: number;
}

export interface Figure {
  /** Name in the JSON output. */
  readonly key: string;
  /** For people. */
  readonly what: string;
  /** Undefined: could not be measured; a note says why. */
  readonly value: number | undefined;
  readonly aim?: Aim;
}

export interface Table {
  readonly title: string;
  readonly rows: readonly Readonly<Record<string, string | number | undefined>>[];
}

export interface Report {
  /** What is claimed. */
  readonly figures: readonly Figure[];
  /** What the figures were made from, and what stands beside them. */
  readonly tables: readonly Table[];
  /** How it was measured where that is not obvious, and what is missing. */
  readonly notes: readonly string[];
}

export interface Bench {
  /** One line. */
  readonly about: string;
  run(options: BenchOptions): Promise<Report>;
}

export function meetsAim({ value, aim }: Figure): boolean | undefined {
  if (aim === undefined) return undefined;
  if (value === undefined) return false;
  return aim.at === 'most' ? value <= aim.value : value >= aim.value;
}
