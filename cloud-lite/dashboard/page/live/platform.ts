// What the browser gives: time, chance, the zone. Everything else is given them.
export { systemClock as clock } from '../../../../kernel/clock.ts';

export const random = {
  next: (): number => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
  uuid: (): string => crypto.getRandomValues(new Uint32Array(4)).join('-'),
};

export const zone: string = Intl.DateTimeFormat().resolvedOptions().timeZone;
