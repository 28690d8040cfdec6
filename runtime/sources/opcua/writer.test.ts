// What the server's answers to a write mean, over a session that answers as it is told.
import { DataType, StatusCodes, Variant } from 'node-opcua-client';
import { describe, expect, it } from 'vitest';
import { serviceFailed } from './opcua-errors.ts';
import type { OpcuaSession } from './opcua-session.ts';
import { writeTag } from './writer.ts';

type Status = keyof typeof StatusCodes;

function writing(answer: Status, held: Status = 'Good', isFault = false) {
  const value = new Variant(held === 'Good' ? { dataType: DataType.Double, value: 1 } : {});
  const session = {
    read: async () => [{ value, statusCode: StatusCodes[held] }],
    async write() {
      if (isFault) throw serviceFailed('a write', answer);
      return StatusCodes[answer];
    },
  } as unknown as OpcuaSession;
  const said: string[] = [];
  const write = {
    ...{ tag: 'setpoint', value: 2 },
    onSend: () => said.push('sent'),
    onRefused: () => said.push('refused'),
  };
  const ended = writeTag(session, 'ns=1;s=a', write).then(
    () => ({ code: 'written' }),
    (error) => error,
  );
  return ended.then((error) => ({ ...error, message: error.message, said }));
}

describe('a server that is asked to write', () => {
  it.each<Status>([
    'BadNotWritable',
    'BadUserAccessDenied',
    'BadOutOfRange',
    'BadTypeMismatch',
    'BadWriteNotSupported',
    'BadNodeIdUnknown',
  ])('and answers %s has refused for good', async (status) => {
    const refused = { code: 'opcua-write-refused', retryable: false, said: ['sent', 'refused'] };
    const message = expect.stringContaining(status);
    expect(await writing(status)).toMatchObject({ ...refused, message });
    expect(await writing(status, 'Good', true)).toMatchObject({ ...refused, message });
    expect(await writing('Good', status)).toMatchObject({ ...refused, said: [] });
  });

  it.each<[Status, string[]]>([
    ['BadServerHalted', ['sent', 'refused']],
    ['BadTooManyOperations', ['sent', 'refused']],
    ['BadTimeout', ['sent']],
    ['BadDeviceFailure', ['sent']],
    ['BadInternalError', ['sent']],
    ['UncertainInitialValue', ['sent']],
  ])('and answers %s may be asked again', async (status, said) => {
    expect(await writing(status)).toMatchObject({ code: 'opcua-write-refused', retryable: true, said });
  });

  it('and limits the value has not written what it was given', async () => {
    expect(await writing('GoodClamped')).toMatchObject({ code: 'source-not-held', retryable: false });
    expect(await writing('Good')).toMatchObject({ code: 'written' });
  });
});
