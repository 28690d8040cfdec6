import { render } from 'preact';
import { LinkContext } from './live/context.ts';
import { createLink } from './live/link.ts';
import { clock, random } from './live/platform.ts';
import { App } from './shell/app.tsx';
import { applyTheme, readTheme } from './shell/theme.ts';
import './style.css';

applyTheme(readTheme());
const link = createLink({ clock, random, open: () => new EventSource('api/events') });
// What is left open keeps one of the browser's few connections to the detector.
window.addEventListener('pagehide', () => link.close());
window.addEventListener('pageshow', (event) => event.persisted && link.retryNow());

render(
  <LinkContext.Provider value={link}>
    <App />
  </LinkContext.Provider>,
  document.getElementById('app')!,
);
