// A dialog: the browser's own, so that Escape, the focus and what lies behind are as everywhere.
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';

export function Dialog(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  // At once, not after the next frame: keys that are pressed meanwhile belong to the dialog already.
  useLayoutEffect(() => {
    const element = dialog.current!;
    const opener = document.activeElement;
    element.showModal();
    return () => {
      element.close();
      // Its row may be gone, now that the gap is; the focus must not be lost at the page's top.
      const home =
        opener instanceof HTMLElement && opener.isConnected ? opener : document.getElementById('main');
      home?.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={title}
      // Where a person has done nothing since it was opened, the browser closes it without asking.
      onClose={props.onClose}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === dialog.current) props.onClose();
      }}
    >
      <div class="dialog">
        <h2 id={title}>{props.title}</h2>
        {props.children}
      </div>
    </dialog>
  );
}
