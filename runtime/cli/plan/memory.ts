// The memory that a site takes, about: what the image's module took (docs/BENCHMARKS.md), and the
// readings that wait in open windows.
import { adapterOf } from '../../adapters.ts';
import type { Config } from '../../config/schema.ts';

/** MB without any source. */
const base = 90;
const rulesMb = 8;
/** A reading in an open window, as an object in memory. */
const readingBytes = 120;

export function planMemory(
  { sources, rules, windows }: Config,
  readingsPerDay: number,
): { readonly mb: number } {
  const types = new Set(sources.map(({ type }) => type));
  const libraries = [...types].reduce((sum, type) => sum + (adapterOf({ type }).memoryMb ?? 0), 0);
  const open = (readingsPerDay / 86_400_000) * windows.ageMs * readingBytes;
  return { mb: Math.round(base + libraries + (rules.length > 0 ? rulesMb : 0) + open / 1e6) };
}
