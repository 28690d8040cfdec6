// The fleet by configuration: who wants which, and what became of it; in groups by a tag, so that a roll-out in rings is watched.
import { type ConfigState, configStates } from '../../../gateways/gateway-states.ts';
import type { ConfigurationPage, ConfigurationView, GatewayPage } from '../../../gateways/gateways.ts';
import type { GatewayAsk } from '../live/calls.ts';
import { countText, plural } from '../text/format.ts';
import { configStateNames, shortHash } from './gateway-words.ts';

export function Configurations(props: {
  readonly page: ConfigurationPage;
  readonly tags: GatewayPage['tags'];
  readonly ask: GatewayAsk;
  readonly onChoose: (change: Partial<GatewayAsk>) => void;
}) {
  const { page, tags, ask, onChoose } = props;
  return (
    <section class="card" aria-labelledby="configurations-title">
      <div class="controls">
        <h2 id="configurations-title">Configurations</h2>
        <span class="grow" />
        <label class="order">
          Group by{' '}
          <select
            value={ask.by ?? ''}
            onChange={(event) => onChoose({ by: event.currentTarget.value || undefined })}
          >
            <option value="">nothing</option>
            {Object.keys(tags).map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
      {page.configurations.length === 0 ? (
        <p class="nothing">No gateway is known yet.</p>
      ) : (
        <table class="configurations">
          <thead>
            <tr>
              {ask.by !== undefined && <th scope="col">{ask.by}</th>}
              <th scope="col">Configuration</th>
              <th scope="col">Of the gateways that want it</th>
              <th scope="col" class="right">
                Runs on
              </th>
              <th scope="col">Module</th>
            </tr>
          </thead>
          <tbody>
            {page.configurations.map((each, at) => (
              <Row
                key={`${each.group} ${each.hash}`}
                each={each}
                isFirst={each.group !== page.configurations[at - 1]?.group}
                ask={ask}
                onChoose={onChoose}
              />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Row(props: {
  readonly each: ConfigurationView;
  readonly isFirst: boolean;
  readonly ask: GatewayAsk;
  readonly onChoose: (change: Partial<GatewayAsk>) => void;
}) {
  const { each, isFirst, ask, onChoose } = props;
  const isChosen = ask.hash === (each.hash ?? '');
  return (
    <tr>
      {ask.by !== undefined && (
        <td class="group">
          {isFirst ? (each.group ?? 'none') : <span class="narrow-only">{each.group ?? 'none'}</span>}
        </td>
      )}
      <th scope="row">
        <button
          type="button"
          class="link mono"
          aria-pressed={isChosen}
          title={isChosen ? 'Show gateways of all configurations' : 'Show the gateways that want it'}
          onClick={() => onChoose({ hash: isChosen ? undefined : (each.hash ?? '') })}
        >
          {shortHash(each.hash)}
        </button>
      </th>
      <td class="wanted">
        <StateBar states={each.states} />
        <span class="note">{statesText(each.states)}</span>
      </td>
      <td class="right">
        <span class="narrow-only">runs on </span>
        <span class="value">{countText(each.running)}</span>
      </td>
      <td class="note">
        {Object.entries(each.versions)
          .map(([version, count]) => `${version} (${countText(count)})`)
          .join(', ') || '–'}
      </td>
    </tr>
  );
}

const shown = (states: ConfigurationView['states']) => configStates.filter((state) => states[state] > 0);

function statesText(states: ConfigurationView['states']): string {
  const words = shown(states).map((state) => `${countText(states[state])} ${configStateNames[state]}`);
  return words.length === 0 ? 'nobody' : words.join(', ');
}

function StateBar({ states }: { readonly states: Readonly<Record<ConfigState, number>> }) {
  const all = shown(states).reduce((sum, state) => sum + states[state], 0);
  return (
    <span class="state-bar" role="img" aria-label={`${plural(all, 'gateway')}: ${statesText(states)}`}>
      {shown(states).map((state) => (
        <span key={state} class={`config-${state}`} style={{ flexGrow: states[state] }} />
      ))}
    </span>
  );
}
