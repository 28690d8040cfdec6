// Pointer, wheel, touch and keys as moves of the view.
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { fit, type Limits, newest, pan, type Viewport, widthOf, zoom } from './viewport.ts';

export interface Gestures {
  readonly view: Viewport;
  readonly limits: Limits;
  readonly onView: (view: Viewport) => void;
  readonly onPoint: (position: number | undefined) => void;
  readonly onPick: (position: number) => void;
}

/** A press that moves less is a click. */
const slackPx = 4;

export function useGestures(surface: RefObject<HTMLElement | null>, gestures: Gestures) {
  // Events between two renders must build on each other, not on what was last drawn.
  const current = useRef(gestures);
  current.current = gestures;
  const pressed = useRef(new Map<number, number>());
  const moved = useRef(0);

  const change = (view: Viewport) => {
    current.current = { ...current.current, view };
    current.current.onView(view);
  };
  const shareAt = (x: number) => {
    const box = surface.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, (x - box.left) / box.width));
  };
  const positionAt = (x: number) => {
    const { view } = current.current;
    return view.start + widthOf(view) * shareAt(x);
  };

  useEffect(() => {
    const onWheel = (event: WheelEvent) => {
      const next = movedByWheel(event, surface.current!, current.current, shareAt(event.clientX));
      if (next === undefined) return;
      event.preventDefault();
      change(next);
    };
    // Not by the component: such listeners are passive, and the page would scroll beneath the zoom.
    const element = surface.current!;
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, []);

  return {
    onPointerDown(event: PointerEvent) {
      if (event.button !== 0) return;
      pressed.current.set(event.pointerId, event.clientX);
      moved.current = 0;
      surface.current!.setPointerCapture(event.pointerId);
    },
    onPointerMove(event: PointerEvent) {
      const { view, limits, onPoint } = current.current;
      if (event.pointerType === 'mouse') onPoint(positionAt(event.clientX));
      const before = pressed.current.get(event.pointerId);
      if (before === undefined) return;
      const width = surface.current!.clientWidth;
      const other = [...pressed.current].find(([id]) => id !== event.pointerId)?.[1];
      pressed.current.set(event.pointerId, event.clientX);
      moved.current += Math.abs(event.clientX - before);
      if (other === undefined) change(pan(view, (before - event.clientX) / width, limits));
      else {
        const [was, is] = [Math.abs(before - other), Math.abs(event.clientX - other)];
        if (is > 8) change(zoom(view, was / is, shareAt((event.clientX + other) / 2), limits));
      }
    },
    onPointerUp(event: PointerEvent) {
      const click = pressed.current.delete(event.pointerId) && moved.current < slackPx;
      if (click) current.current.onPick(positionAt(event.clientX));
    },
    onPointerCancel(event: PointerEvent) {
      pressed.current.delete(event.pointerId);
    },
    onPointerLeave() {
      current.current.onPoint(undefined);
    },
    onKeyDown(event: KeyboardEvent) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { view, limits } = current.current;
      const moved = movedByKey(event, view, limits);
      if (moved !== undefined) change(moved);
      else if (event.key === 'Enter') current.current.onPick((view.start + view.end) / 2);
      else return;
      event.preventDefault();
    },
  };
}

function movedByWheel(
  event: WheelEvent,
  element: HTMLElement,
  { view, limits }: Gestures,
  at: number,
): Viewport | undefined {
  const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
  // A page that is only scrolled past keeps scrolling: zoom by wheel needs Ctrl, or the focus.
  if (!sideways && !event.ctrlKey && document.activeElement !== element) return undefined;
  if (sideways) return pan(view, (event.deltaX || event.deltaY) / element.clientWidth, limits);
  return zoom(view, Math.exp(event.deltaY * 0.002), at, limits);
}

function movedByKey({ key, shiftKey }: KeyboardEvent, view: Viewport, limits: Limits): Viewport | undefined {
  const step = shiftKey ? 0.8 : 0.1;
  const moves: Readonly<Record<string, () => Viewport>> = {
    ArrowLeft: () => pan(view, -step, limits),
    ArrowRight: () => pan(view, step, limits),
    ArrowUp: () => zoom(view, 0.7, 0.5, limits),
    ArrowDown: () => zoom(view, 1 / 0.7, 0.5, limits),
    '+': () => zoom(view, 0.7, 0.5, limits),
    '=': () => zoom(view, 0.7, 0.5, limits),
    '-': () => zoom(view, 1 / 0.7, 0.5, limits),
    '0': () => fit(limits),
    Home: () => ({ start: limits.span.start, end: limits.span.start + widthOf(view) }),
    End: () => newest(limits, widthOf(view)),
  };
  return moves[key]?.();
}
