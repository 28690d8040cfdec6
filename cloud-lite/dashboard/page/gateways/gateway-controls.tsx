// What of the gateways is shown: by state, name and tags.
import { gatewayStates } from '../../../gateways/gateway-states.ts';
import type { GatewayPage } from '../../../gateways/gateways.ts';
import type { GatewayAsk } from '../live/calls.ts';
import { StateIcon } from '../shell/state-badge.tsx';
import { countText } from '../text/format.ts';
import { gatewayMarks, gatewayStateMeanings, gatewayStateNames, shortHash } from './gateway-words.ts';

export function GatewayControls(props: {
  readonly page: GatewayPage;
  readonly ask: GatewayAsk;
  readonly onChoose: (change: Partial<GatewayAsk>) => void;
}) {
  const { page, ask, onChoose } = props;
  const all = gatewayStates.reduce((sum, state) => sum + page.counts[state], 0);
  return (
    <div class="controls">
      <h2 id="gateways-title">Gateways</h2>
      <fieldset class="filters">
        <legend class="unseen">Show gateways by state</legend>
        <button
          type="button"
          class="filter"
          aria-pressed={ask.state === undefined}
          onClick={() => onChoose({ state: undefined })}
        >
          All <b>{countText(all)}</b>
        </button>
        {gatewayStates.map((state) => (
          <button
            key={state}
            type="button"
            class={`filter ${gatewayMarks[state]}`}
            title={gatewayStateMeanings[state]}
            aria-pressed={ask.state === state}
            onClick={() => onChoose({ state: ask.state === state ? undefined : state })}
          >
            <StateIcon state={gatewayMarks[state]} />
            {gatewayStateNames[state]} <b>{countText(page.counts[state])}</b>
          </button>
        ))}
      </fieldset>
      <span class="line-end" />
      <label class="search">
        <span class="unseen">Search by gateway or tag</span>
        <input
          type="search"
          placeholder="Search"
          maxLength={128}
          value={ask.search}
          onInput={(event) => onChoose({ search: event.currentTarget.value })}
        />
      </label>
      {Object.entries(page.tags).map(([name, values]) => (
        <TagChoice key={name} name={name} values={values} ask={ask} onChoose={onChoose} />
      ))}
      {ask.hash !== undefined && (
        <button
          type="button"
          class="filter"
          aria-pressed="true"
          onClick={() => onChoose({ hash: undefined })}
        >
          Configuration {shortHash(ask.hash || null)} ×
        </button>
      )}
    </div>
  );
}

function TagChoice(props: {
  readonly name: string;
  readonly values: readonly string[];
  readonly ask: GatewayAsk;
  readonly onChoose: (change: Partial<GatewayAsk>) => void;
}) {
  const { name, values, ask, onChoose } = props;
  const start = `${name}:`;
  const chosen = ask.tags.find((tag) => tag.startsWith(start))?.slice(start.length) ?? '';
  const choose = (value: string) => {
    const others = ask.tags.filter((tag) => !tag.startsWith(start));
    onChoose({ tags: value === '' ? others : [...others, start + value] });
  };
  return (
    <label class="order">
      <span class="unseen">Tag {name}</span>
      <select value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">{name}: any</option>
        {values.map((value) => (
          <option key={value} value={value}>
            {name}: {value}
          </option>
        ))}
      </select>
    </label>
  );
}
