import type { Value } from './reading.ts';

/**
 * A parsed value without -0, which JSON text can carry, which our encoder never writes, and which would
 * make equal values unequal under Object.is. Bounded in depth by the parser.
 */
export function cleanValue(value: Value): Value {
  if (typeof value === 'number') return value === 0 ? 0 : value;
  if (typeof value === 'object' && value !== null) cleanStructure(value as Record<string, Value>);
  return value;
}

/** In place: the structure was just parsed and belongs to nobody else. */
function cleanStructure(structure: Record<string, Value>): void {
  for (const key of Object.keys(structure)) {
    // JSON.parse makes "__proto__" an own property, and assigning to an own data property keeps it one.
    const child = structure[key]!;
    if (child === 0) structure[key] = 0;
    else if (typeof child === 'object' && child !== null) cleanStructure(child as Record<string, Value>);
  }
}
