// Seeded randomness. Each part of an episode has its own generator, so that one more draw in one part changes nothing in
// another.
import { type Random, randomInt, seededRandom } from '../../kernel/random.ts';

export class Dice {
  readonly random: Random;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  chance(probability: number): boolean {
    return this.random.next() < probability;
  }

  /** A whole number in [low, high], both included. */
  between(low: number, high: number): number {
    return low + randomInt(this.random, high - low + 1);
  }

  pick<T>(list: readonly T[]): T {
    return list[randomInt(this.random, list.length)]!;
  }

  /** One of the keys, each as likely as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let left = this.random.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return entries.at(-1)![0];
  }

  fork(): Dice {
    return new Dice(randomInt(this.random, 2 ** 31));
  }
}
