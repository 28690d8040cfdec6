// How one sender is built, by the dice, and the configuration that a site would write for it.
import type { Dice } from '../dice.ts';

export interface SenderPlan {
  /** `readings/1`, a flat object, or an object with items. */
  readonly form: 'readings/1' | 'flat' | 'items';
  readonly isNumbered: boolean;
  readonly numberIn: 'property' | 'body';
  /** The messages carry times of their own. */
  readonly isStamped: boolean;
  readonly stampStepMs: 1 | 1000;
  readonly hasIds: boolean;
  readonly periodMs: number;
  readonly samplesEach: number;
  /** One message a tag, so that several share a time. */
  readonly isSplit: boolean;
  readonly silenceMs: number;
  readonly latenessMs: number;
}

export function planSender(dice: Dice): SenderPlan {
  const form = dice.pick(['readings/1', 'flat', 'items'] as const);
  const isStamped = form === 'readings/1' || dice.chance(0.7);
  const isNumbered = dice.chance(0.7);
  const periodMs = dice.pick([200, 500, 1000]);
  return {
    form,
    isNumbered,
    numberIn: form === 'readings/1' ? 'property' : dice.pick(['property', 'body'] as const),
    isStamped,
    stampStepMs: isNumbered && dice.chance(0.3) ? 1000 : 1,
    hasIds: dice.chance(0.6),
    periodMs,
    samplesEach: form === 'flat' ? 1 : dice.between(1, 3),
    isSplit: isNumbered && form !== 'items' && dice.chance(0.3),
    silenceMs: dice.pick([4, 10]) * periodMs,
    latenessMs: isStamped ? dice.pick([0, 1000]) : 0,
  };
}

export function configureSender(plan: SenderPlan): object {
  const { form, isNumbered, numberIn, isStamped, silenceMs, latenessMs } = plan;
  const sequence = isNumbered
    ? { sequence: numberIn === 'property' ? { property: 'n' } : { path: 'n' } }
    : {};
  const common = { type: 'module-input', name: 'hostile', input: 'in', silenceMs, latenessMs, ...sequence };
  if (form === 'readings/1') return { ...common, format: 'readings/1' };
  const time = isStamped ? { time: { path: 't' } } : {};
  if (form === 'items')
    return { ...common, ...time, items: 'items', named: { tag: 'tag', value: 'v', quality: 'q' } };
  const tags = [
    { name: 'a', path: 'a' },
    { name: 'b', path: 'b' },
  ];
  return { ...common, ...time, tags };
}
