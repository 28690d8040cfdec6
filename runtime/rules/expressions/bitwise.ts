// `& | ^ ~` on whole numbers and bits: of two bits a bit, else a whole number.
import type { Compiled, Frame } from './frame.ts';
import { RowProblem, type StaticType, show, typeName, type Value } from './values.ts';

export type BitOperator = '&' | '|' | '^';

export const isBitOperator = (operator: string): operator is BitOperator =>
  operator === '&' || operator === '|' || operator === '^';

const small: Readonly<Record<BitOperator, (a: number, b: number) => number>> = {
  '&': (a, b) => a & b,
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
};
/** Beyond 32 bits. */
const large: Readonly<Record<BitOperator, (a: bigint, b: bigint) => bigint>> = {
  '&': (a, b) => a & b,
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
};

export function bitwise(operator: BitOperator, left: Compiled, right: Compiled): Compiled {
  const run = (frame: Frame): Value => {
    const [a, b] = [left.run(frame), right.run(frame)];
    if (a === null || b === null) return null;
    const [x, y] = [whole(a, operator), whole(b, operator)];
    const isSmall = (x | 0) === x && (y | 0) === y;
    const result = isSmall ? small[operator](x, y) : Number(large[operator](BigInt(x), BigInt(y)));
    return typeof a === 'boolean' && typeof b === 'boolean' ? result === 1 : result;
  };
  return { run, type: typeOf(left.type, right.type) };
}

/** `~` */
export function complement({ run, type }: Compiled): Compiled {
  const of = (frame: Frame): Value => {
    const value = run(frame);
    if (value === null) return null;
    return typeof value === 'boolean' ? !value : -whole(value, '~') - 1;
  };
  return { run: of, type };
}

function whole(value: Value, operator: string): number {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new RowProblem(
    `${operator} needs whole numbers or bits, and got ${show(value)} (${typeName(value)}): use CAST`,
  );
}

function typeOf(a: StaticType, b: StaticType): StaticType {
  if (a === 'bit' && b === 'bit') return 'bit';
  return a === 'bigint' || b === 'bigint' ? 'bigint' : 'any';
}
