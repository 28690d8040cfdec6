import { expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { isDiskTrouble, isFull, isMedium, isSystemError } from './disk.ts';

const system = (code: string, message = code) => Object.assign(new Error(message), { code });
const wrapped = (cause: unknown) => new HoldfastError('store-write-failed', 'refused', { cause });

it.each([
  [system('ENOSPC'), true, true, false],
  [wrapped(wrapped(system('ENOSPC'))), true, true, false],
  [wrapped(new Error('IO error: 000012.log: No space left on device')), true, false, false],
  [system('EIO'), true, true, true],
  // As Node gives what Linux calls EUCLEAN, EBADMSG and EDQUOT, and what nobody knows.
  [system('Unknown system error -117'), true, true, true],
  [system('Unknown system error -74'), true, true, true],
  [system('Unknown system error -122'), true, true, false],
  [wrapped(system('Unknown system error -999')), false, true, false],
  [wrapped(new Error('IO error: 000012.ldb: Structure needs cleaning')), true, false, false],
  [system('EROFS'), true, true, false],
  [wrapped(system('EMFILE')), true, true, false],
  [system('ENOENT'), false, true, false],
  [wrapped(new Error('Corruption: bad block')), false, false, false],
  [wrapped(Object.assign(new Error('x'), { code: 'LEVEL_CORRUPTION' })), false, false, false],
  [undefined, false, false, false],
])(
  '%s is trouble of the disk: %s, raised by the system: %s, of the medium: %s',
  (error, trouble, raised, medium) => {
    expect([isDiskTrouble(error), isSystemError(error)]).toEqual([trouble, raised]);
    if (error instanceof Error && !('cause' in error && error.cause)) expect(isMedium(error)).toBe(medium);
  },
);

it('a quota that is used up is a full disk', () => {
  expect(isFull(wrapped(system('Unknown system error -122')))).toBe(true);
  expect(isFull(system('Unknown system error -117'))).toBe(false);
});
