// The direct method `write`: sets one tag of one source, by the same path as writes of rules.
import { parseWrite } from '../../wire/methods.ts';
import type { Value } from '../../wire/reading.ts';
import type { MethodAnswer } from '../uplink/uplink.ts';
import { answer, badRequest, notFound } from './answers.ts';

export interface WantedWrite {
  readonly id: string;
  readonly source: string;
  readonly tag: string;
  readonly value: Value;
  readonly expected?: Value | undefined;
  readonly validForMs: number;
}

export interface WriteOutcome {
  readonly kind: string;
  readonly code?: string;
  readonly message?: string;
}

export interface WriteMethodOptions {
  /** Configured on. */
  isAllowed(): boolean;
  newId(): string;
  /** Wall clock, epoch ms. */
  now(): number;
  /** Never rejects. */
  run(wanted: WantedWrite): Promise<WriteOutcome>;
}

export type WriteMethod = (payload: unknown) => Promise<MethodAnswer>;

/** Below the time that a method may take to answer. */
const longestMs = 50_000;
const defaultMs = 10_000;

const statusByCode: Readonly<Record<string, number>> = {
  'source-read-only': 403,
  'source-unknown': 404,
  'source-unknown-tag': 404,
  'source-not-as-expected': 409,
  'source-value-invalid': 400,
  'source-value-out-of-range': 400,
  'source-cannot-compare': 400,
  'opcua-bad-value': 400,
  'rules-too-many-actions': 429,
};
const statusByKind: Readonly<Record<string, number>> = {
  done: 200,
  failed: 503,
  expired: 504,
  unconfirmed: 504,
  refused: 502,
};

export function createWriteMethod({ isAllowed, newId, now, run }: WriteMethodOptions): WriteMethod {
  return async (payload) => {
    // As if it did not exist: nobody far away moves a machine where it is not switched on.
    if (!isAllowed()) return notFound('writing by method is not switched on in the configuration');
    const asked = parseWrite(payload);
    if (!asked.ok) return badRequest(asked.errors);
    const { source, tag, value, expected, deadline } = asked.value;
    const validForMs = deadline === undefined ? defaultMs : Math.min(longestMs, deadline - now());
    if (validForMs <= 0) return answer(504, { state: 'expired', source, tag, error: 'its deadline is over' });
    const { kind, code, message } = await run({ id: newId(), source, tag, value, expected, validForMs });
    const status = (kind === 'refused' && statusByCode[code ?? '']) || statusByKind[kind] || 500;
    const why = { ...(code && { code }), ...(message && { error: message }) };
    return answer(status, { state: kind === 'done' ? 'written' : kind, source, tag, ...why });
  };
}
