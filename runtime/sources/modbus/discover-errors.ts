// What the errors of requests tell of a unit that is discovered.
import { HoldfastError } from '../../../kernel/errors.ts';
import { ModbusException } from './modbus-errors.ts';

/** What a message of such a header advises, which the setting says. */
export const advice = /(: where|: is the unit|[:;] set ).*$/s;
const oddHeader = /set (transactionId|unitId|frameLength): ignore/;

export function oddHeaderOf(error: unknown): string | undefined {
  if (!(error instanceof HoldfastError) || error.code !== 'modbus-garbage') return undefined;
  return oddHeader.exec(error.message)?.[1];
}

export function isSilence(error: unknown): boolean {
  return (
    error instanceof HoldfastError && (error.code === 'modbus-timeout' || error.code === 'modbus-out-of-step')
  );
}

/** What concerns one request alone. */
export function concernsOneRequest(error: unknown): boolean {
  return error instanceof ModbusException || isSilence(error) || oddAnswer(error);
}

export function isClosed(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'modbus-connection-lost';
}

export function isLate(error: unknown): boolean {
  return error instanceof HoldfastError && error.message.includes('it answers late');
}

export function oddAnswer(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'modbus-garbage';
}
