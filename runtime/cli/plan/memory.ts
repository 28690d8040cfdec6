// The memory that a site takes, about: what the compiled module took with the image's settings (docs/BENCHMARKS.md), and the
// readings that wait in open windows.
import type { Config } from '../../config/schema.ts';

/** MB without any source, and what the first source of a type adds. */
const base = 105;
const adds: Readonly<Record<string, number>> = { opcua: 42, 'modbus-tcp': 5, 'modbus-rtu': 5, serial: 5 };
const rulesMb = 8;
/** A reading in an open window, as an object in memory. */
const readingBytes = 120;

export function planMemory(
  { sources, rules, windows }: Config,
  readingsPerDay: number,
): { readonly mb: number } {
  const types = new Set(sources.map(({ type }) => type));
  const libraries = [...types].reduce((sum, type) => sum + (adds[type] ?? 0), 0);
  const open = (readingsPerDay / 86_400_000) * windows.ageMs * readingBytes;
  return { mb: Math.round(base + libraries + (rules.length > 0 ? rulesMb : 0) + open / 1e6) };
}
