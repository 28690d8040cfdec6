import { describe, expect, test } from 'vitest';
import { describeClientError, failureKind, sendError } from './client-errors.ts';
import { explain } from './diagnose.ts';
import type { ProbeReport } from './probe.ts';

const target = { host: 'hub.example', port: 5671 };
const now = Date.UTC(2026, 5, 1);
const certificate = {
  subject: 'hub.example',
  issuer: 'Some CA',
  altNames: 'DNS:hub.example',
  validFrom: Date.UTC(2026, 0, 1),
  validTo: Date.UTC(2026, 3, 1),
};
const named = (name: string, extra: object = {}) => Object.assign(new Error('could not'), { name, ...extra });

describe('explaining', () => {
  const cases: [ProbeReport, RegExp][] = [
    [
      { step: 'dns', error: 'getaddrinfo', code: 'ENOTFOUND' },
      /name hub\.example is not found \(ENOTFOUND\)/,
    ],
    [
      { step: 'tcp', address: '1.2.3.4', error: 'x', code: 'ECONNREFUSED' },
      /hub\.example:5671 \(1\.2\.3\.4\) refuses/,
    ],
    [{ step: 'tcp', address: '1.2.3.4', error: 'x', code: 'EHOSTUNREACH' }, /no route to/],
    [
      { step: 'tcp', address: '1.2.3.4', error: 'no answer in 5000 ms' },
      /does not answer \(no answer in 5000 ms\)/,
    ],
    [{ step: 'tls-handshake', address: '1.2.3.4', error: 'wrong version number' }, /TLS handshake fails/],
    [
      { step: 'tls-trust', address: '1.2.3.4', code: 'CERT_HAS_EXPIRED', certificate },
      /expired on 2026-04-01.*clock says 2026-06-01/,
    ],
    [
      { step: 'tls-trust', address: '1.2.3.4', code: 'CERT_NOT_YET_VALID', certificate },
      /valid only from 2026-01-01.*probably behind/,
    ],
    [
      { step: 'tls-trust', address: '1.2.3.4', code: 'SELF_SIGNED_CERT_IN_CHAIN', certificate },
      /not signed by/,
    ],
  ];
  test.each(cases)('%o', (report, expected) => {
    expect(explain(target, new Error('x'), report, now)).toMatch(expected);
  });

  test('a refused token with a clock that is wrong says so', () => {
    const report: ProbeReport = { step: 'passed', address: '1.2.3.4', certificate };
    const refused = named('UnauthorizedError');
    expect(explain(target, refused, report, now, 3_600_000)).toMatch(/3600 s behind the hub's/);
    expect(explain(target, refused, report, now, -3_600_000)).toMatch(/3600 s ahead of the hub's/);
    expect(explain(target, refused, report, now, 500)).not.toMatch(/hub's:/);
    expect(explain(target, refused, report, now)).toMatch(/refuses this module's identity/);
  });
});

describe('the library’s errors', () => {
  test.each([
    [named('MessageTooLargeError'), 'refused'],
    [named('ThrottlingError'), 'throttled'],
    [named('IotHubQuotaExceededError'), 'quota'],
    [named('UnauthorizedError'), 'unauthorized'],
    [named('NotConnectedError'), 'doubt'],
    [named('Error', { amqpError: { condition: 'com.microsoft:device-container-throttled' } }), 'throttled'],
    [
      named('DeviceMethodsDetachedError', { innerError: { condition: 'amqp:unauthorized-access' } }),
      'unauthorized',
    ],
    [{ condition: 'amqp:link:message-size-exceeded' }, 'refused'],
    [undefined, 'doubt'],
    ['text', 'doubt'],
  ] as const)('%o is %s', (error, kind) => {
    expect(failureKind(error)).toBe(kind);
  });

  test('a cause that is a cycle is no trap', () => {
    const error = named('Error');
    Object.assign(error, { cause: error });
    expect(failureKind(error)).toBe('doubt');
    expect(describeClientError(error)).toBe('could not');
  });

  test('only a lonely message is refused for good', () => {
    const tooLarge = named('MessageTooLargeError');
    expect(sendError(tooLarge, true).retryable).toBe(false);
    expect(sendError(tooLarge, false).retryable).toBe(true);
    expect(sendError(new Error('?'), true)).toMatchObject({
      code: 'uplink-connection-lost',
      retryable: true,
    });
  });
});
