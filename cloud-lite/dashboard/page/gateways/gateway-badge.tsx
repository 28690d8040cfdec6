import type { GatewayState } from '../../../gateways/gateway-states.ts';
import { StateIcon } from '../shell/state-badge.tsx';
import { gatewayMarks, gatewayStateMeanings, gatewayStateNames } from './gateway-words.ts';

export function GatewayBadge({ state }: { readonly state: GatewayState }) {
  return (
    <span class={`badge ${gatewayMarks[state]}`} title={gatewayStateMeanings[state]}>
      <StateIcon state={gatewayMarks[state]} />
      {gatewayStateNames[state]}
    </span>
  );
}
