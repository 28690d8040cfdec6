import { expect, test } from 'vitest';
import { codeOf, describeError, HoldfastError } from './errors.ts';

test('an error has its code, its cause and whether trying again may help', () => {
  const cause = new Error('ECONNREFUSED');
  const error = new HoldfastError('uplink-unreachable', 'no answer', { cause, retryable: true });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ code: 'uplink-unreachable', message: 'no answer', retryable: true, cause });
  expect(new HoldfastError('x', 'y').retryable).toBe(false);
  expect(new HoldfastError('x', 'y')).not.toHaveProperty('cause');
});

test('a subclass is named after itself', () => {
  class SpoolError extends HoldfastError {}
  const error = new SpoolError('spool-locked', 'in use');
  expect(error.name).toBe('SpoolError');
  expect(error.stack).toContain('SpoolError: in use');
});

test('a description has the messages of the causes, each once', () => {
  const root = new Error('connect ECONNREFUSED');
  const middle = new Error('not connected', { cause: root });
  expect(describeError(new HoldfastError('a', 'send failed', { cause: middle }))).toBe(
    'send failed: not connected: connect ECONNREFUSED',
  );
  expect(describeError(new Error('same', { cause: new Error('same') }))).toBe('same');
});

test('whatever was thrown has a description', () => {
  expect(describeError('text')).toBe('text');
  expect(describeError(7)).toBe('7');
  expect(describeError(new TypeError())).toBe('TypeError');
  expect(describeError(new Error('outer', { cause: 'text' }))).toBe('outer: text');
  expect(describeError(undefined)).toBe('');
  expect(describeError(Object.create(null))).toBe('object');
});

test('the code of a line is that of the error, or of what caused it, else the one that is given', () => {
  const cause = new HoldfastError('store-closed', 'closed');
  expect(codeOf(new HoldfastError('uplink-timeout', 'late', { cause }), 'x')).toBe('uplink-timeout');
  expect(codeOf(new Error('late', { cause }), 'x')).toBe('store-closed');
  // A system's error has a code that no document of ours explains.
  expect(codeOf(Object.assign(new Error('full'), { code: 'ENOSPC' }), 'x')).toBe('x');
  expect(codeOf(undefined, 'x')).toBe('x');
});

test('a cycle of causes ends', () => {
  const a = new Error('a');
  const b = new Error('b', { cause: a });
  a.cause = b;
  expect(describeError(a)).toBe('a: b');
  expect(codeOf(a, 'x')).toBe('x');
});

test('names what Node has no name for', () => {
  const unnamed = (number: number) =>
    new Error(`Unknown system error -${number}: Unknown system error -${number}, stat '/data'`);
  expect(describeError(unnamed(117))).toBe(
    "EUCLEAN: structure needs cleaning, a damaged file system, stat '/data'",
  );
  expect(describeError(unnamed(999))).toContain('Unknown system error -999');
});
