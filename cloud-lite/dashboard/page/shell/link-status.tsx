import { useLink, useLinkState, useNow } from '../live/context.ts';
import { moodOf } from '../live/link-state.ts';
import { clock, zone } from '../live/platform.ts';
import { momentText } from '../text/format.ts';

const names = { live: 'Live', starting: 'Connecting', away: 'No answer' } as const;

export function LinkStatus() {
  const mood = moodOf(useLinkState());
  return (
    <span class={`link-status ${mood}`} role="status">
      <span class="dot" aria-hidden="true" />
      {names[mood]}
    </span>
  );
}

/** Lies over the page's foot, so that nothing moves when it comes or goes. */
export function AwayBar() {
  const state = useLinkState();
  const link = useLink();
  useNow();
  if (state.awaySince === undefined) return null;
  const now = clock.now();
  const seconds =
    state.retryAt === undefined ? undefined : Math.max(0, Math.ceil((state.retryAt - now) / 1000));
  return (
    <div class="away-bar" role="alert">
      <p>
        <strong>
          The detector does not answer{state.problem === undefined ? '' : `: ${state.problem}`}.
        </strong>{' '}
        {state.lastDataAt === undefined
          ? 'Nothing is known yet.'
          : `What you see was true at ${momentText(state.awaySince, now, zone)}.`}{' '}
        <span aria-live="off" class="retry">
          {seconds === undefined ? 'Trying now' : `Next try in ${seconds} s`}
        </span>
      </p>
      <button type="button" onClick={() => link.retryNow()}>
        Try now
      </button>
    </div>
  );
}
