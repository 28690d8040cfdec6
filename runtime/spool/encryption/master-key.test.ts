import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { keyBytes } from '../testing/sealed.ts';
import { parseMasterKey, toMasterKey } from './master-key.ts';

const bytes = () => keyBytes('a');
const { id } = toMasterKey(bytes());

describe('a master key', () => {
  it.each([
    ['as it is', bytes()],
    ['in hex', Buffer.from(bytes().toString('hex'))],
    ['in capital hex with an end of line', Buffer.from(`${bytes().toString('hex').toUpperCase()}\r\n`)],
    ['in base64', Buffer.from(`${bytes().toString('base64')}\n`)],
    ['in base64 for URLs', Buffer.from(bytes().toString('base64url'))],
  ])('is read %s', (_, content) => {
    expect(parseMasterKey(content).id).toBe(id);
    // What it was read from holds it no longer.
    expect(content.every((byte) => byte === 0)).toBe(true);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(32)],
    ['zeros in hex', Buffer.from('0'.repeat(64))],
    ['one character', Buffer.from('x'.repeat(32))],
    ['16 bytes in hex', Buffer.from(bytes().toString('hex', 0, 16))],
    ['31 bytes', bytes().subarray(1)],
    ['33 bytes', Buffer.concat([bytes(), Buffer.of(7)])],
    ['24 bytes in base64', Buffer.from(bytes().toString('base64', 0, 24))],
    ['a word', Buffer.from('correct horse battery staple')],
    ['a large file', Buffer.alloc(4096, 'abcdefghijk')],
  ])('is not made of %s, and the refusal repeats nothing', (_, content) => {
    const text = content.toString('latin1').slice(0, 8);
    let refusal = '';
    try {
      parseMasterKey(content);
    } catch (error) {
      expect(error).toMatchObject({ code: 'spool-key-invalid' });
      refusal = inspect(error);
    }
    expect(refusal).toContain('openssl rand');
    if (text !== '') expect(refusal).not.toContain(text);
  });

  it('shows its id and nothing else', () => {
    const shown = inspect(toMasterKey(bytes()), { depth: 9, showHidden: true });
    expect(shown).toContain(id);
    expect(JSON.stringify(toMasterKey(bytes()))).toBe(`{"id":"${id}","secret":{}}`);
    for (const form of ['hex', 'base64', 'latin1'] as const) {
      expect(shown).not.toContain(bytes().toString(form).slice(0, 12));
    }
  });
});
