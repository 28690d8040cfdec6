// Late messages: readings that came after their window had closed. They claim no window, so the loss of one would leave no
// hole. Hence they are numbered: the module counts those of each stream from 1, and every later window states the last
// number. A series is one such count; a module that has lost its count begins another, under a new name.
import { HoldfastError } from '../kernel/errors.ts';
import { maxLateSeriesLength } from './limits.ts';

/** The `number`th late window of its series. From 1. */
export interface LateNumber {
  /** May be empty: a sender that keeps its count for ever needs no name for it. */
  readonly series: string;
  readonly number: number;
}

/** `first` to `last`, both included. */
export interface LateNumbers {
  readonly series: string;
  readonly first: number;
  readonly last: number;
}

const seriesForm = /^[a-z0-9]+$/;
const numberForm = /^(?:([a-z0-9]{1,16})\.)?([0-9]{1,16})$/;

export const lateNumberRule = `no number from 1, nor a series of 1-${maxLateSeriesLength} a-z 0-9, a dot and a number`;

export function isLateNumber({ series, number }: LateNumber): boolean {
  const isSeries = series === '' || (series.length <= maxLateSeriesLength && seriesForm.test(series));
  return isSeries && Number.isSafeInteger(number) && number >= 1;
}

/** `3f2a91c4.17`, or `17` without a series. */
export function formatLateNumber({ series, number }: LateNumber): string {
  return series === '' ? String(number) : `${series}.${number}`;
}

/** Undefined for what is none. */
export function parseLateNumber(value: unknown): LateNumber | undefined {
  const text = Number.isSafeInteger(value) ? String(value) : value;
  const match = typeof text === 'string' ? numberForm.exec(text) : null;
  if (match === null) return undefined;
  const late = { series: match[1] ?? '', number: Number(match[2]) };
  return isLateNumber(late) ? late : undefined;
}

/** From `first` to `last`; undefined where they are of two series or in the wrong order. */
export function lateNumbers(first: LateNumber, last: LateNumber): LateNumbers | undefined {
  if (first.series !== last.series || last.number < first.number) return undefined;
  return { series: first.series, first: first.number, last: last.number };
}

/** @throws HoldfastError `wire-bad-batch`. */
export function checkLateNumber(late: LateNumber): void {
  if (!isLateNumber(late)) throw new HoldfastError('wire-bad-batch', `the late number is ${lateNumberRule}`);
}
