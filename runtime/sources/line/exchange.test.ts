import { describe, expect, it } from 'vitest';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { type Exchange, Exchanges, type ResponseMatch } from './exchange.ts';

/** `looks`: what its answer looks like; `*` is a request that nobody else makes. `n` is what only the test knows. */
interface Ask {
  readonly looks: string;
  readonly n: number;
}

/** `isRefusal` fits every request but those that look like `*`. */
interface Said {
  readonly looks: string;
  readonly n: number;
  readonly isRefusal?: boolean;
}

const match: ResponseMatch<Ask, Said> = {
  fits: (answer, request) =>
    answer.isRefusal ? request.looks !== '*' && answer.looks !== '*' : answer.looks === request.looks,
  isAlike: (request, other) => request.looks === other.looks,
  isSame: (request, other) => request.n === other.n,
  isUnmistakable: ({ looks }) => looks === '*',
  asUnmistakable: ({ looks, n }) => (looks === '*?' ? { looks: '*', n } : undefined),
};

function setUp(hasOthers = false) {
  const clock = new VirtualClock();
  const exchanges = new Exchanges<Ask, Said>({ match, clock, minSilenceMs: 3000, hasOthers });
  return { clock, exchanges };
}

const ask = (looks: string, n = 0): Ask => ({ looks, n });

describe('an exchange', () => {
  it('ties the answer that comes to the only request that it can belong to', async () => {
    const { clock, exchanges } = setUp();
    const exchange = exchanges.begin(ask('a', 1));
    await clock.advance(40);
    expect(exchange.offer(ask('a', 1))).toMatchObject({ request: { n: 1 }, answer: { n: 1 }, tookMs: 40 });
    expect(exchanges.isMistakable(ask('a'))).toBe(false);
  });

  it('takes no answer that may be that of an earlier request', () => {
    const { exchanges } = setUp();
    exchanges.begin(ask('a', 1));
    expect(exchanges.isMistakable(ask('a'))).toBe(true);
    const second = exchanges.begin(ask('a', 2));
    expect(second.offer(ask('a', 1))).toBeUndefined();
    expect(second.offer(ask('a', 2))).toBeUndefined();
  });

  it('is in step again once a request was answered that is answered differently', () => {
    const { exchanges } = setUp();
    exchanges.begin(ask('a', 1));
    const probe = exchanges.begin(ask('b', 2));
    expect(probe.offer(ask('a', 1))).toBeUndefined();
    expect(exchanges.isMistakable(ask('a'))).toBe(true);
    expect(probe.offer(ask('b', 2))?.request.n).toBe(2);
    expect(exchanges.isMistakable(ask('a'))).toBe(false);
  });

  it('takes no refusal that may be that of an earlier request, and goes on waiting for its own answer', () => {
    const { exchanges } = setUp();
    exchanges.begin(ask('a', 1));
    const second = exchanges.begin(ask('b', 2));
    expect(second.offer({ ...ask('a', 1), isRefusal: true })).toBeUndefined();
    expect(second.offer(ask('b', 2))?.answer.n).toBe(2);
  });

  it('is proven in step by a late answer to a probe, too', () => {
    const { exchanges } = setUp();
    exchanges.begin(ask('a', 1));
    exchanges.begin(ask('*', 2));
    exchanges.begin(ask('*', 3));
    exchanges.hear(ask('*', 2));
    expect(exchanges.isMistakable(ask('a'))).toBe(false);
  });

  it('believes nothing but what nobody else can have asked, once something came that was not asked for', () => {
    const { exchanges } = setUp();
    exchanges.hear(ask('a', 9));
    expect(exchanges.strays).toBe(1);
    expect(exchanges.isMistakable(ask('a'))).toBe(true);
    const plain = exchanges.begin(ask('b', 1));
    expect(plain.offer(ask('b', 9))).toBeUndefined();
    const probe = exchanges.begin(ask('*', 2));
    expect(probe.offer(ask('*', 2))).toBeDefined();
    expect(exchanges.isMistakable(ask('a'))).toBe(false);
  });

  it('takes an answer for no proof of what others were heard to ask after its own request was sent', () => {
    const { exchanges } = setUp();
    exchanges.hear(ask('a', 9));
    const probe = exchanges.begin(ask('*', 2));
    exchanges.hear(ask('a', 8));
    expect(probe.offer(ask('*', 2))).toBeDefined();
    expect(exchanges.isMistakable(ask('a'))).toBe(true);
    expect(exchanges.begin(ask('*', 3)).offer(ask('*', 3))).toBeDefined();
    expect(exchanges.isMistakable(ask('a'))).toBe(false);
    // Sent twice, it may be the first that is answered.
    exchanges.begin(ask('*', 4));
    exchanges.hear(ask('a', 7));
    exchanges.begin(ask('*', 4)).offer(ask('*', 4));
    expect(exchanges.isMistakable(ask('a'))).toBe(true);
  });

  it('takes no answer for its own that somebody else was heard asking for', () => {
    const { exchanges } = setUp();
    exchanges.hear(ask('*?', 9));
    const probe = exchanges.begin(ask('*', 2));
    expect(probe.offer(ask('*', 9))).toBeUndefined();
    expect(exchanges.isMistakable(ask('a'))).toBe(true);
    expect(probe.offer(ask('*', 2))).toBeDefined();
    expect(exchanges.isMistakable(ask('a'))).toBe(false);
  });

  it('is doubtful for an hour after more came than was asked for, not for what an earlier run had asked', async () => {
    const { clock, exchanges } = setUp(true);
    exchanges.hear(ask('a', 9));
    expect(exchanges.isDoubtful).toBe(false);
    exchanges.begin(ask('*', 1)).offer(ask('*', 1));
    exchanges.hear(ask('a', 9));
    await clock.advance(3_599_999);
    expect(exchanges.isDoubtful).toBe(true);
    await clock.advance(1);
    expect(exchanges.isDoubtful).toBe(false);
  });

  it('counts no silence from before it was listened to again', async () => {
    const { clock, exchanges } = setUp(true);
    await clock.advance(60_000);
    exchanges.suspectOthers();
    expect(exchanges.proveBySilence()).toBe(false);
    await clock.advance(3000);
    expect(exchanges.proveBySilence()).toBe(true);
  });

  it('takes an answer for the first one only: a second one is somebody else`s', () => {
    const { exchanges } = setUp();
    const exchange = exchanges.begin(ask('a', 1));
    expect(exchange.offer(ask('a', 1))).toBeDefined();
    expect(exchange.offer(ask('a', 1))).toBeUndefined();
    expect(exchanges.isMistakable(ask('a'))).toBe(true);
  });

  it('believes nothing at first where an earlier run may have asked', () => {
    const { exchanges } = setUp(true);
    expect(exchanges.isMistakable(ask('a'))).toBe(true);
    expect(exchanges.begin(ask('a')).offer(ask('a', 9))).toBeUndefined();
  });

  it('takes silence for proof only after longer than any answer took', async () => {
    const { clock, exchanges } = setUp();
    exchanges.begin(ask('a', 1));
    await clock.advance(2999);
    expect(exchanges.proveBySilence()).toBe(false);
    await clock.advance(1);
    expect(exchanges.proveBySilence()).toBe(true);
    expect(exchanges.isMistakable(ask('a'))).toBe(false);
    exchanges.begin(ask('a', 2));
    await clock.advance(2500);
    exchanges.hear(ask('a', 2));
    expect(exchanges.silenceMs).toBe(5000);
    await clock.advance(4999);
    expect(exchanges.proveBySilence()).toBe(false);
    await clock.advance(1);
    expect(exchanges.proveBySilence()).toBe(true);
  });

  it('counts a request that is asked again and again as one, each answer to it as one less', () => {
    const { exchanges } = setUp();
    exchanges.begin(ask('a', 1));
    for (let n = 0; n < 100; n++) exchanges.begin(ask('*', 2));
    expect(exchanges.isFull).toBe(false);
    const again = exchanges.begin(ask('*', 2));
    // It may be the answer to the first time: that proves what was asked before it.
    expect(again.offer(ask('*', 2))).toBeUndefined();
    expect(exchanges.isMistakable(ask('a'))).toBe(false);
    exchanges.begin(ask('a', 3));
    for (let n = 0; n < 100; n++) exchanges.hear(ask('*', 2));
    expect(exchanges.strays).toBe(0);
    expect(exchanges.isMistakable(ask('a'))).toBe(true);
    exchanges.hear(ask('*', 2));
    expect(exchanges.strays).toBe(1);
  });

  it('takes a probe for lost after a minute, so that it does not stand before later ones for ever', async () => {
    const { clock, exchanges } = setUp();
    exchanges.begin(ask('*', 1));
    exchanges.begin(ask('a', 2));
    await clock.advance(60_000);
    const probe = exchanges.begin(ask('*', 3));
    expect(exchanges.isMistakable(ask('a'))).toBe(true);
    expect(probe.offer(ask('*', 3))).toBeDefined();
    expect(exchanges.isMistakable(ask('a'))).toBe(false);
  });

  it('keeps a bounded memory: once that is full, only silence helps', async () => {
    const { clock, exchanges } = setUp();
    for (let n = 0; n < 16; n++) exchanges.begin(ask('a', n));
    expect(exchanges.isFull).toBe(true);
    expect(() => exchanges.begin(ask('*'))).toThrow();
    await clock.advance(3000);
    expect(exchanges.proveBySilence()).toBe(true);
    expect(exchanges.isFull).toBe(false);
  });
});

/** Works off in order, answers each request once or never, each as late as it likes. */
class Unit {
  readonly #random: Random;
  #freeAt = 0;
  readonly due: { readonly at: number; readonly said: Said }[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  ask({ looks, n }: Ask, now: number): void {
    const random = this.#random;
    if (random.next() < 0.1) return;
    const slow = random.next() < 0.04 ? randomInt(random, 1500) : randomInt(random, 60);
    this.#freeAt = Math.max(this.#freeAt, now) + slow;
    if (random.next() < 0.1) return;
    this.due.push({ at: this.#freeAt, said: { looks, n, ...(random.next() < 0.1 && { isRefusal: true }) } });
  }
}

describe('10,000 exchanges with a unit that is slow, loses requests, and refuses some', () => {
  it.each([1, 2, 3])('never tie an answer to another request, and never get stuck: seed %i', async (seed) => {
    const random = seededRandom(seed);
    const { clock, exchanges } = setUp();
    const unit = new Unit(random);
    const timeoutMs = 200;
    let tied = 0;
    let n = 0;
    const run = async (looks: string) => {
      const request = ask(looks, ++n);
      const exchange: Exchange<Ask, Said> = exchanges.begin(request);
      unit.ask(request, clock.monotonic());
      const endsAt = clock.monotonic() + timeoutMs;
      for (;;) {
        const next = unit.due[0];
        if (!next || next.at > endsAt) break;
        await clock.advance(Math.max(0, next.at - clock.monotonic()));
        unit.due.shift();
        const answer = exchange.offer(next.said);
        if (!answer) continue;
        expect(answer.answer.n).toBe(request.n);
        tied += 1;
        return;
      }
      await clock.advance(endsAt - clock.monotonic());
    };
    for (let turn = 0; turn < 10_000; turn++) {
      const idle = randomInt(random, 200);
      await clock.advance(idle);
      while (unit.due[0] && unit.due[0].at <= clock.monotonic()) exchanges.hear(unit.due.shift()!.said);
      if (exchanges.isFull && !exchanges.proveBySilence()) continue;
      const looks = random.next() < 0.7 ? 'a' : 'b';
      await run(exchanges.isMistakable(ask(looks)) ? '*' : looks);
    }
    expect(tied).toBeGreaterThan(5000);
    expect(exchanges.strays).toBeLessThan(tied / 10);
  });
});
