/** The worst first; docs/OPERATIONS.md says what each means. */
export const gatewayStates = ['refused', 'trouble', 'offline', 'unknown', 'well'] as const;
export type GatewayState = (typeof gatewayStates)[number];

/** The states of the wanted configuration, as the module reports them; `unknown`: not reported, or outdated. */
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
