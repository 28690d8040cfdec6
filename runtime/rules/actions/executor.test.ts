import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { createExecutor, type Performer } from './executor.ts';
import { type Intent, intentId, type Moment, type Outcome, remainingMs } from './intent.ts';

const verdict = { rule: 'hot', output: 'output', key: '[]', time: 0, ordinal: 0 };

function setUp(perform: Performer['perform'] = async (_intent, { onSend }) => onSend()) {
  const clock = new VirtualClock();
  const machine = { boot: 'a', isTrusted: true };
  const sent: { id: string; at: number }[] = [];
  const ended: { id: string; outcome: Outcome }[] = [];
  const executor = createExecutor({
    performer: {
      perform: (intent, given, signal) => {
        const onSend = () => {
          given.onSend();
          sent.push({ id: intent.id, at: clock.monotonic() });
        };
        return perform(intent, { ...given, onSend }, signal);
      },
    },
    clock,
    moment: () => ({ ...machine, sinceStartMs: clock.monotonic(), wall: clock.now() }),
    random: seededRandom(1),
    log: silentLog,
    metrics: noMetrics,
    onOutcome: ({ id }, outcome) => ended.push({ id, outcome }),
    maxAttempts: 5,
    maxWaiting: 3,
  });
  const intent = (id: string, more: Partial<Intent> = {}): Intent => ({
    id,
    rule: 'hot',
    target: { kind: 'write', source: 'press', tag: 'setpoint' },
    value: 20,
    time: clock.now(),
    bornAt: clock.now(),
    boot: 'a',
    bornMs: clock.monotonic(),
    validForMs: 10_000,
    perMinute: 60,
    dryRun: false,
    ...more,
  });
  return {
    clock,
    machine,
    executor,
    sent,
    ended,
    intent,
    kinds: () => ended.map((each) => [each.id, each.outcome.kind]),
  };
}

const away = () => Promise.reject(new HoldfastError('source-not-connected', 'away', { retryable: true }));

describe('the executor of actions', () => {
  it('carries out what is for one target in order, each once', async () => {
    const { clock, executor, sent, kinds, intent } = setUp(async (_intent, { onSend }) => {
      onSend();
      await new Promise<void>((resolve) => clock.setTimer(50, resolve));
    });
    executor.take([intent('1'), intent('2')]);
    executor.take([intent('3')]);
    await clock.advance(60);
    expect(sent.map(({ id }) => id)).toEqual(['1', '2']);
    await clock.advance(200);
    expect(kinds()).toEqual([
      ['1', 'done'],
      ['2', 'done'],
      ['3', 'done'],
    ]);
  });

  it('carries out what comes at the moment at which the last one before it has ended', async () => {
    for (let turns = 0; turns < 40; turns++) {
      const { clock, executor, kinds, intent } = setUp();
      executor.take([intent('1')]);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      executor.take([intent('2')]);
      await clock.advance(1);
      expect(kinds(), `${turns} turns later`).toHaveLength(2);
    }
  });

  it('says why of one whose time is over before its turn', async () => {
    const { clock, executor, ended, intent } = setUp(() => new Promise(() => {}));
    executor.take([intent('stuck', { validForMs: 5000 }), intent('behind', { validForMs: 1000 })]);
    await clock.advance(5002);
    expect(ended.at(-1)).toMatchObject({
      id: 'behind',
      outcome: { kind: 'expired', code: 'rules-action-expired', attempts: 0 },
    });
  });

  it('lets no target wait for another', async () => {
    const { clock, executor, kinds, intent } = setUp((each, { onSend }) =>
      each.target.kind === 'send' ? new Promise(() => {}) : Promise.resolve(onSend()),
    );
    executor.take([intent('stuck', { target: { kind: 'send', output: 'control' } }), intent('free')]);
    await clock.advance(1);
    expect(kinds()).toEqual([['free', 'done']]);
    await clock.advance(10_002);
    expect(kinds().at(-1)).toEqual(['stuck', 'expired']);
  });

  it('tries again what may succeed, under the same id, and no more than it may', async () => {
    let tries = 0;
    const { clock, executor, ended, intent } = setUp((_intent, { onSend }) => {
      tries += 1;
      return tries < 3 ? away() : Promise.resolve(onSend());
    });
    executor.take([intent('1')]);
    await clock.advance(3000);
    expect(ended).toEqual([{ id: '1', outcome: { kind: 'done', attempts: 3 } }]);
    const never = setUp(away);
    never.executor.take([never.intent('2', { validForMs: 60_000 })]);
    await never.clock.advance(60_000);
    expect(never.ended).toMatchObject([
      { outcome: { kind: 'failed', code: 'source-not-connected', attempts: 5 } },
    ]);
  });

  it('says that nobody knows where something was sent and not answered', async () => {
    const { clock, executor, ended, intent } = setUp((_intent, { onSend }) => {
      onSend();
      return Promise.reject(new HoldfastError('modbus-timeout', 'no answer', { retryable: true }));
    });
    executor.take([intent('1', { validForMs: 3000 })]);
    await clock.advance(4000);
    expect(ended).toMatchObject([{ outcome: { kind: 'unconfirmed', code: 'modbus-timeout' } }]);
  });

  it.each([
    [['no for good'], 'refused', 1],
    [['no for now', 'no for good'], 'refused', 2],
    [['no for now', 'no for now', 'no for now', 'no for now', 'no for now'], 'refused', 5],
    [['no for now', 'taken'], 'done', 2],
    [['silent', 'no for good'], 'unconfirmed', 2],
    [['silent', 'no for now', 'silent', 'silent', 'silent'], 'unconfirmed', 5],
  ] as const)(
    'of a target that answers with %j it says %s, after %i tries',
    async (answers, kind, attempts) => {
      let tries = 0;
      const { clock, executor, ended, intent } = setUp((_intent, { onSend, onRefused }) => {
        onSend();
        const answer = answers[tries++];
        if (answer === 'taken') return Promise.resolve();
        if (answer !== 'silent') onRefused();
        return Promise.reject(
          new HoldfastError('why', answer ?? '', { retryable: answer !== 'no for good' }),
        );
      });
      executor.take([intent('1', { validForMs: 60_000 })]);
      await clock.advance(60_000);
      const why = kind === 'done' ? {} : { code: 'why', message: answers.at(-1) };
      expect(ended).toEqual([{ id: '1', outcome: { kind, ...why, attempts } }]);
    },
  );

  it('takes no later no for an answer to what was sent before', async () => {
    let tries = 0;
    const { clock, executor, kinds, intent } = setUp((_intent, { onSend }) => {
      onSend();
      tries += 1;
      const retryable = tries === 1;
      return Promise.reject(new HoldfastError('modbus-exception', 'no', { retryable }));
    });
    executor.take([intent('1'), intent('2')]);
    await clock.advance(2000);
    expect(kinds()).toEqual([
      ['1', 'unconfirmed'],
      ['2', 'refused'],
    ]);
  });

  it('sends nothing after its deadline, however late its turn comes', async () => {
    let turn = () => {};
    const { clock, executor, sent, kinds, intent } = setUp(async (_intent, { onSend }) => {
      await new Promise<void>((resolve) => {
        turn = resolve;
      });
      onSend();
    });
    executor.take([intent('1', { validForMs: 1000 })]);
    await clock.advance(1001);
    turn();
    await clock.advance(10);
    expect(sent).toEqual([]);
    expect(kinds()).toEqual([['1', 'expired']]);
  });

  it('keeps to so many tries a minute for a target, and what has no time to wait expires', async () => {
    const { clock, executor, sent, kinds, intent } = setUp();
    const slow = { perMinute: 2, validForMs: 90_000 };
    executor.take([intent('1', slow), intent('2', slow), intent('3', slow)]);
    await clock.advance(59_000);
    expect(sent.map(({ id }) => id)).toEqual(['1', '2']);
    await clock.advance(2000);
    expect(sent.map(({ id }) => id)).toEqual(['1', '2', '3']);
    executor.take([intent('4', { ...slow, perMinute: 1, validForMs: 5000 })]);
    await clock.advance(6000);
    expect(kinds().at(-1)).toEqual(['4', 'expired']);
  });

  it('refuses what more than enough wait before', async () => {
    const { clock, executor, ended, intent } = setUp(away);
    executor.take(['1', '2', '3', '4'].map((id) => intent(id)));
    await clock.advance(1);
    expect(ended).toMatchObject([{ id: '4', outcome: { kind: 'refused', code: 'rules-too-many-actions' } }]);
  });

  it('does nothing in a dry run, and says so', async () => {
    const { clock, executor, sent, kinds, intent } = setUp();
    executor.take([intent('1', { dryRun: true })]);
    await clock.advance(1);
    expect(sent).toEqual([]);
    expect(kinds()).toEqual([['1', 'dry-run']]);
  });

  it('leaves what has no outcome yet to a later process', async () => {
    const { clock, executor, ended, intent } = setUp(away);
    executor.take([intent('1'), intent('2')]);
    await clock.advance(10);
    await executor.stop();
    await clock.advance(60_000);
    expect(ended).toEqual([]);
    expect(await executor.run(intent('3'))).toMatchObject({ kind: 'failed', code: 'rules-stopping' });
  });

  it('does nothing while nobody can say how old an intent is', async () => {
    const { clock, machine, executor, sent, ended, intent } = setUp();
    machine.isTrusted = false;
    machine.boot = 'b';
    executor.take([intent('1')]);
    await clock.advance(1);
    expect(sent).toEqual([]);
    expect(ended).toMatchObject([{ outcome: { kind: 'expired', code: 'rules-clock-untrusted' } }]);
  });
});

describe('how long an intent may be carried out', () => {
  const intent = { time: 1_000_000, bornAt: 1_000_500, boot: 'a', bornMs: 100, validForMs: 1000 } as Intent;
  const moment: Moment = { boot: 'a', sinceStartMs: 100, wall: 1_000_500, isTrusted: true };
  it.each([
    ['counts from its time, not from its decision', {}, 500],
    ['ends with the time', { wall: 1_001_001 }, 'expired'],
    ['ends by the own clock of the machine', { sinceStartMs: 1101 }, 'expired'],
    ['is the less of both', { sinceStartMs: 900 }, 200],
    ['goes on over a restart', { boot: 'b', sinceStartMs: 5, wall: 1_000_900 }, 100],
    ['is not known without a clock after a restart', { boot: 'b', isTrusted: false }, 'clock-untrusted'],
    ['is not known without a clock', { isTrusted: false }, 'clock-untrusted'],
    [
      'is over whatever the clock, where the machine knows',
      { isTrusted: false, sinceStartMs: 1101 },
      'expired',
    ],
    ['is not begun anew by a clock that went back', { boot: 'b', wall: 990_000 }, 'clock-untrusted'],
  ] as const)('%s', (_title, change, expected) => {
    expect(remainingMs(intent, { ...moment, ...change })).toBe(expected);
  });

  it('is not lengthened by an event that comes from the future', () => {
    const ahead = { ...intent, time: 9_000_000 };
    expect(remainingMs(ahead, { ...moment, boot: 'b', wall: 1_001_501 })).toBe('expired');
  });
});

describe('the id of an intent', () => {
  it('is the same for the same verdict, another for another, and a message id', () => {
    const ids = new Set([
      intentId(verdict, 0),
      intentId(verdict, 0),
      intentId(verdict, 1),
      intentId({ ...verdict, ordinal: 1 }, 0),
      intentId({ ...verdict, key: '["a"]' }, 0),
      intentId({ ...verdict, output: 'other' }, 0),
      intentId({ ...verdict, time: 1 }, 0),
      intentId({ ...verdict, rule: 'cold' }, 0),
    ]);
    expect(ids.size).toBe(7);
    const longest = { ...verdict, rule: 'r'.repeat(64), time: Number.MAX_SAFE_INTEGER, ordinal: 99_999 };
    expect(intentId(longest, 99)).toMatch(/^[A-Za-z0-9\-:.+%_#*?!(),=@;$']{1,128}$/);
  });
});
