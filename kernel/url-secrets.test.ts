import { describe, expect, it } from 'vitest';
import { hasSecret, maskedText, maskedValue } from './url-secrets.ts';

const withSecret = [
  ['opc.tcp://admin:hunter2@10.0.0.7:4840', 'opc.tcp://…@10.0.0.7:4840'],
  ['opc.tcp://admin:hun/ter2@x@10.0.0.7', 'opc.tcp://…@10.0.0.7'],
  ['admin:hunter2@10.0.0.7', '…@10.0.0.7'],
  ['opc.tcp://h:4840/path?password=hunter2', 'opc.tcp://h:4840/path?password=…'],
  ['http://h/?a=1&api_key=hunter2&b=2', 'http://h/?a=1&api_key=…&b=2'],
  ['https://h/#access_token=hunter2', 'https://h/#access_token=…'],
] as const;

describe('secrets in addresses', () => {
  it.each(withSecret)('%s is shown as %s', (text, shown) => {
    expect(hasSecret(text)).toBe(true);
    expect(maskedValue(text)).toBe(shown);
    expect(maskedText(`cannot be used (here: '${text}')`)).toBe(`cannot be used (here: '${shown}')`);
  });

  it('are hidden in a value also where they hold spaces', () => {
    expect(maskedValue('http://admin:my secret@h/?pwd=my secret')).toBe('http://…@h/?pwd=…');
  });

  it.each([
    'opc.tcp://10.0.0.7:4840/path?channel=2',
    'opc.tcp://[::1]:4840',
    'ns=2;s=Line1.Temperature',
    'somebody@example',
    'must be the address of the server, as in "opc.tcp://10.0.0.7:4840"',
  ])('are not seen in %s', (text) => {
    expect(hasSecret(text)).toBe(false);
    expect([maskedValue(text), maskedText(text)]).toEqual([text, text]);
  });
});
