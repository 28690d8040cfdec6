// Says what an action brought, once, in a place of its own.
import { type ComponentChildren, createContext } from 'preact';
import { useCallback, useContext, useRef, useState } from 'preact/hooks';
import type { Timer } from '../../../../kernel/clock.ts';
import { clock } from '../live/platform.ts';

const shownMs = 7000;

const NoticeContext = createContext<(text: string) => void>(() => {});

export const useNotice = (): ((text: string) => void) => useContext(NoticeContext);

export function NoticeProvider({ children }: { readonly children: ComponentChildren }) {
  const [text, setText] = useState('');
  const timer = useRef<Timer | undefined>(undefined);
  const say = useCallback((next: string) => {
    timer.current?.cancel();
    setText(next);
    timer.current = clock.setTimer(shownMs, () => setText(''));
  }, []);
  return (
    <NoticeContext.Provider value={say}>
      {children}
      <div class="notices" role="status">
        {text !== '' && <p class="notice">{text}</p>}
      </div>
    </NoticeContext.Provider>
  );
}
