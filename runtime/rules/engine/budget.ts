// Counts the state that a rule holds against its limits. An addition beyond a limit is refused; existing state is never
// removed.
import type { RuleLimits } from '../engine-api.ts';
import { RowProblem } from '../expressions/values.ts';

export const defaultLimits: Required<RuleLimits> = {
  maxKeys: 10_000,
  maxRows: 100_000,
  maxBytes: 16 * 1024 * 1024,
};

/** The row was not taken, for a limit's sake. */
export class RowRefused extends RowProblem {}

export class Budget {
  readonly limits: Required<RuleLimits>;
  keys = 0;
  rows = 0;
  bytes = 0;

  constructor(limits: Required<RuleLimits>) {
    this.limits = limits;
  }

  /** @throws RowRefused */
  takeKey(bytes: number): void {
    if (this.keys >= this.limits.maxKeys)
      throw new RowRefused(`more than ${this.limits.maxKeys} keys at once (limits.maxKeys)`);
    this.#checkBytes(bytes);
    this.keys++;
    this.bytes += bytes;
  }

  giveKey(bytes: number): void {
    this.keys--;
    this.bytes -= bytes;
  }

  /** @throws RowRefused */
  checkRow(bytes: number): void {
    if (this.rows >= this.limits.maxRows)
      throw new RowRefused(`more than ${this.limits.maxRows} rows are kept (limits.maxRows)`);
    this.#checkBytes(bytes);
  }

  /** @throws RowRefused */
  takeRow(bytes: number): void {
    this.checkRow(bytes);
    this.addRows(1, bytes);
  }

  /** Where it was checked before. */
  addRows(rows: number, bytes: number): void {
    this.rows += rows;
    this.bytes += bytes;
  }

  giveRows(rows: number, bytes: number): void {
    this.rows -= rows;
    this.bytes -= bytes;
  }

  #checkBytes(bytes: number): void {
    if (this.bytes + bytes > this.limits.maxBytes)
      throw new RowRefused(`more than ${this.limits.maxBytes} bytes of state (limits.maxBytes)`);
  }
}
