// The settings that describe where a value lies in a device and how it is coded.
import { z } from 'zod';

export const tables = ['holding', 'input', 'coil', 'discrete'] as const;
export type Table = (typeof tables)[number];
export type RegisterTable = 'holding' | 'input';
export type BitTable = 'coil' | 'discrete';

export const integerTypes = ['int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'] as const;
/** Binary coded decimal: four digits a register. */
export const bcdTypes = ['bcd16', 'bcd32'] as const;
export const numberTypes = [...integerTypes, 'float32', 'float64', ...bcdTypes] as const;
export const valueTypes = [...numberTypes, 'bit', 'bool', 'string'] as const;
export type NumberType = (typeof numberTypes)[number];
export type ValueType = (typeof valueTypes)[number];

/**
 * Order of the bytes of a value, A being the most significant one of a 32-bit value. Longer values follow the
 * same two rules: `CDAB` and `DCBA` put the least significant register first, `BADC` and `DCBA` swap
 * the bytes inside each register. Strings and 16-bit values know only the second rule.
 */
export const byteOrders = ['ABCD', 'CDAB', 'BADC', 'DCBA'] as const;
export type ByteOrder = (typeof byteOrders)[number];

export const timeUnits = ['s', 'ms', 'us', 'ns'] as const;
export type TimeUnit = (typeof timeUnits)[number];

/** Registers and bits are addressed by 16 bits. */
export const addressSpace = 65_536;

const registersOf: Readonly<Record<Exclude<ValueType, 'string'>, number>> = {
  int16: 1,
  uint16: 1,
  bit: 1,
  bool: 1,
  bcd16: 1,
  int32: 2,
  uint32: 2,
  float32: 2,
  bcd32: 2,
  int64: 4,
  uint64: 4,
  float64: 4,
};

/** Registers that a value takes (for `bool`: bits). `length` is a string's, in characters, `perRegister` to a register. */
export function widthOf(type: ValueType, length = 1, perRegister: 1 | 2 = 2): number {
  return type === 'string' ? Math.ceil(length / perRegister) : registersOf[type];
}

export function isBitTable(table: Table): table is BitTable {
  return table === 'coil' || table === 'discrete';
}

/** Types whose values can be named: whole numbers, bits. */
export function isCountable(type: ValueType): boolean {
  return type === 'bit' || type === 'bool' || (isNumberType(type) && !type.startsWith('float'));
}

export function isNumberType(type: ValueType): type is NumberType {
  return (numberTypes as readonly ValueType[]).includes(type);
}

const addressHint =
  'must be a whole number from 0 to 65535; addresses count from 0 in each table, so that what a manual calls holding register 40007 is address 6';

export const address = z.int(addressHint).min(0, addressHint).max(65_535, addressHint);
export const offset = z.int().min(0).max(65_535);
export const order = z
  .enum(byteOrders, `must be one of ${byteOrders.join(', ')}; ABCD is most significant byte first`)
  .default('ABCD');
export const type = z.enum(valueTypes, `must be one of ${valueTypes.join(', ')}`);
export const registerTable = z
  .enum(['holding', 'input'], 'must be holding or input: this is read from registers')
  .default('holding');

export const counterType = z
  .enum(['uint16', 'uint32', 'uint64', 'int32'], 'must be uint16, uint32, uint64 or int32')
  .default('uint32');
export const timestampType = z.enum(
  ['uint32', 'int32', 'uint64', 'int64', 'float64'],
  'must be one of uint32, int32, uint64, int64, float64: the time as one number since 1970-01-01 UTC',
);
export const unit = z
  .enum(timeUnits, `must be one of ${timeUnits.join(', ')}: what the timestamp counts`)
  .default('ms');

/** A count or pointer that the device keeps in a register. */
export const counter = z.strictObject({ table: registerTable, address, type: counterType, order });
export const timestamp = z.strictObject({ table: registerTable, address, type: timestampType, order, unit });
