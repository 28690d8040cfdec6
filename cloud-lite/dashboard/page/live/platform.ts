// The browser's clock, randomness and time zone. All other files get these as parameters.
export { systemClock as clock } from '../../../../kernel/clock.ts';

export const random = {
  next: (): number => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
  uuid: (): string => crypto.getRandomValues(new Uint32Array(4)).join('-'),
};

export const zone: string = Intl.DateTimeFormat().resolvedOptions().timeZone;
