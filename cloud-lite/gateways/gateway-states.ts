/** The worst first; docs/OPERATIONS.md says what each means. */
export const gatewayStates = ['refused', 'trouble', 'offline', 'unknown', 'well'] as const;
export type GatewayState = (typeof gatewayStates)[number];

/** Of the configuration that is wanted, as the module tells it; `unknown`: not told, or not known any more. */
export const configStates = [
  'reverted',
  'refused',
  'waiting',
  'unknown',
  'last-good',
  'trial',
  'applied',
] as const;
export type ConfigState = (typeof configStates)[number];
