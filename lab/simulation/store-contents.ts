// What a store holds, and in what two such differ.
import type { BatchOp, Store } from '../../runtime/spool/engine/store.ts';

/** By key, as latin1. */
export type Contents = Map<string, Buffer>;
export type Batch = readonly BatchOp[];

const everything = { gte: Buffer.of(0), lt: Buffer.of(255), limit: 100_000 };

export async function contentsOf(store: Store): Promise<Contents> {
  const entries = await store.range(everything);
  return new Map(entries.map(({ key, value }) => [Buffer.from(key).toString('latin1'), Buffer.from(value)]));
}

export function apply(contents: Contents, ops: Batch): void {
  for (const op of ops) {
    const key = Buffer.from(op.key).toString('latin1');
    if (op.type === 'put') contents.set(key, Buffer.from(op.value));
    else contents.delete(key);
  }
}

export function differenceOf(expected: Contents, found: Contents): string | undefined {
  const differences: string[] = [];
  for (const key of new Set([...expected.keys(), ...found.keys()])) {
    const [a, b] = [expected.get(key), found.get(key)];
    if (same(a, b)) continue;
    const what = a === undefined ? 'is too much' : b === undefined ? 'is missing' : 'is another one';
    differences.push(`${hex(Buffer.from(key, 'latin1'))} ${what}`);
  }
  return differences.length === 0 ? undefined : differences.join(', ');
}

export const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;

export const hex = (key: Buffer): string => `${key.toString('latin1', 0, 1)}${key.toString('hex', 1)}`;

export const nameOf = (op: BatchOp): string =>
  `${op.type === 'put' ? '+' : '-'}${hex(Buffer.from(op.key))}${op.type === 'put' ? `(${op.value.byteLength})` : ''}`;
